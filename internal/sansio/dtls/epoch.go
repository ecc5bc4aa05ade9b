package dtls

import "time"

// Epochs of 1.3 (RFC 9147 section 6.1). Epoch 1 is that of early data, which we have none of.
const (
	epochHandshake = 2
	epochData      = 3 // and later: one more with each KeyUpdate
)

// keepHandshakeEpoch is how long a server can read the client's last flight again. RFC 9147 section 5.8.1: "for at least twice the default MSL
// [...], when in the FINISHED state, the server MUST respond to retransmission of the client's final flight with a retransmit of its ACK." That is
// four minutes.
const keepHandshakeEpoch = 4 * time.Minute

// readEpoch is an epoch in which the peer sends: its keys, of 1.2 or of 1.3, and what has come.
type readEpoch struct {
	epoch  uint64
	replay replayWindow
	v12    *recordCipher
	v13    *cipher13
	secret secret13 // 1.3: what the next epoch's is derived from; none in the handshake's
	failed uint64   // 1.3: records that did not open
}

// is says whether a record has the low bits of this epoch.
func (k *readEpoch) is(epochBits uint8) bool {
	return k != nil && epochBits == uint8(k.epoch&unifiedEpoch)
}

// writeEpoch is an epoch in which we send. It has the keys of 1.2 or of 1.3, or none: then it is epoch 0.
type writeEpoch struct {
	epoch  uint64
	next   uint64 // sequence number
	v12    *recordCipher
	v13    *cipher13
	secret secret13 // as in readEpoch
}

// newReadEpoch makes an epoch of 1.3 and its keys, in one piece of memory.
func newReadEpoch(s *cipherSuite, secret secret13, epoch uint64) *readEpoch {
	k := new(struct {
		readEpoch
		keys cipher13
	})
	k.keys.derive(s, secret.bytes(), epoch)
	k.readEpoch = readEpoch{epoch: epoch, v13: &k.keys}
	if epoch >= epochData {
		k.secret = secret
	}
	return &k.readEpoch
}

func newWriteEpoch(s *cipherSuite, secret secret13, epoch uint64) *writeEpoch {
	w := new(struct {
		writeEpoch
		keys cipher13
	})
	w.keys.derive(s, secret.bytes(), epoch)
	w.writeEpoch = writeEpoch{epoch: epoch, v13: &w.keys}
	if epoch >= epochData {
		w.secret = secret
	}
	return &w.writeEpoch
}

// overhead is the room that seal needs before and behind the content.
func (w *writeEpoch) overhead() (head, tail int) {
	switch {
	case w.v13 != nil:
		return w.v13.overhead()
	case w.v12 != nil:
		return w.v12.overhead()
	}
	return recordHeaderLen, 0
}

// seal makes the next record of rec, which has room for what overhead says.
func (w *writeEpoch) seal(rec []byte, typ uint8) {
	seq := w.next
	w.next++
	switch {
	case w.v13 != nil:
		w.v13.seal(rec, typ, seq)
	case w.v12 != nil:
		w.v12.seal(rec, typ, epochProtected, seq)
	default:
		version := uint16(version12)
		if typ == contentHandshake && rec[recordHeaderLen] == typeClientHello && seqOf(rec[recordHeaderLen:]) == 0 {
			version = version10 // servers that know no version yet take it from any client, in its first message
		}
		putRecordHeader(rec, typ, version, epochPlain, seq, len(rec)-recordHeaderLen)
	}
}

// rest gives back what the next record makes again.
func (k *readEpoch) rest() {
	if k != nil && k.v13 != nil {
		k.v13.rest()
	}
}

func (w *writeEpoch) rest() {
	if w != nil && w.v13 != nil {
		w.v13.rest()
	}
}
