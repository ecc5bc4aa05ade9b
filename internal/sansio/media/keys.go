package media

import (
	"github.com/pion/srtp/v3"
)

// Keys are what DTLS-SRTP gives (RFC 5764 section 4.2).
type Keys struct {
	Profile               uint16 // as IANA numbers DTLS-SRTP protection profiles
	LocalKey, LocalSalt   []byte
	RemoteKey, RemoteSalt []byte
}

// Replay windows, in packets. Of what comes later than a stream remembers nothing is used.
const (
	replaySRTP  = windowSpan
	replaySRTCP = 1024
)

// MaxOverhead is the most that protection adds to a packet: a 16-byte tag, and SRTCP's index (RFC 7714 section 9.2).
const MaxOverhead = 20

// SetKeys begins protection, or goes on with other keys. Before it nothing is sent and what comes is dropped.
func (m *Machine) SetKeys(k Keys) error {
	tx, err := srtp.CreateContext(k.LocalKey, k.LocalSalt, srtp.ProtectionProfile(k.Profile))
	if err != nil {
		return ErrProfile
	}
	rx, err := k.receiving()
	if err != nil {
		return ErrProfile
	}
	m.overhead = overhead(srtp.ProtectionProfile(k.Profile))
	m.keys, m.tx, m.rx, m.sources = k, tx, rx, make(map[uint32]struct{})
	return nil
}

// overhead is what protection adds to an RTP packet.
func overhead(p srtp.ProtectionProfile) int {
	tag, err := p.AuthTagRTPLen()
	aead, err2 := p.AEADAuthTagLen()
	if err != nil || err2 != nil {
		panic("BUG: media: a profile without a tag")
	}
	return tag + aead
}

func (k *Keys) receiving() (*srtp.Context, error) {
	return srtp.CreateContext(k.RemoteKey, k.RemoteSalt, srtp.ProtectionProfile(k.Profile),
		srtp.SRTPReplayProtection(replaySRTP), srtp.SRTCPReplayProtection(replaySRTCP))
}

// maxSources bounds the sources that the receiving context keeps something of. It forgets none, and only authentic packets add to them.
const maxSources = 4096

// note takes note of the source of an authentic packet that is not of a stream. When there have been too many, all but those of streams are
// forgotten: the context is made anew, and told how often the numbers of these have wrapped. A packet of a stream cannot come twice even then.
func (m *Machine) note(ssrc uint32) {
	if _, known := m.sources[ssrc]; known {
		return
	}
	if len(m.sources) >= max(maxSources, 4*m.cfg.MaxStreams) {
		rx, err := m.keys.receiving()
		if err != nil {
			panic("BUG: media: " + err.Error()) // it was made with these keys before
		}
		clear(m.sources)
		for s := range m.bindings {
			m.sources[s] = struct{}{}
			if wraps, ok := m.rx.ROC(s); ok {
				rx.SetROC(s, wraps)
			}
		}
		m.rx = rx
	}
	m.sources[ssrc] = struct{}{}
}

// KeyLength is how many bytes of key and salt each direction has with the profile; false: it is not known.
func KeyLength(profile uint16) (key, salt int, ok bool) {
	p := srtp.ProtectionProfile(profile)
	key, err := p.KeyLen()
	salt, err2 := p.SaltLen()
	return key, salt, err == nil && err2 == nil
}
