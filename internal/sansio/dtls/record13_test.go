package dtls

import (
	"bytes"
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func newCipher13(s *cipherSuite, secret []byte, epoch uint64) *cipher13 {
	k := new(cipher13)
	k.derive(s, secret, epoch)
	return k
}

// counted is n bytes that count from first.
func counted(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// TestHMAC: ours is that of the standard library, for keys of each hash's length and messages that the stack has room for or not.
func TestHMAC(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		for n := range 400 {
			key, message := counted(byte(n), h.Size()), counted(3, n)
			want := hmac.New(h.New, key)
			want.Write(message)
			if got := appendHMAC([]byte("x"), h, key, message[:n/3], message[n/3:]); !bytes.Equal(got, want.Sum([]byte("x"))) {
				t.Fatalf("%v of %d bytes: %x", h, n, got)
			}
		}
	}
}

// TestKeySchedule13 has known answers from pion/dtls (internal/handshake/traffic_secrets_test.go), which says that OpenSSL gives the same.
func TestKeySchedule13(t *testing.T) {
	for _, tc := range []struct {
		hash                                                                                         crypto.Hash
		clientHS, serverHS, clientAP, serverAP, nextClient, exporter, serverFinished, clientFinished string
	}{
		{
			hash:           crypto.SHA256,
			clientHS:       "48834a5e86b1a984eaf5a77b8552e0b51a0878fbfc8e8e4098331f2666e6c283",
			serverHS:       "74b4bd30abf8fb590f64801397eb7c4a4f1a7043b8a51b01b619d6288af8d639",
			clientAP:       "bce5f20cbbe8e905fb14f770a4476c125f205e12f823535eccf19479da7600ef",
			serverAP:       "4514b3035c3be36a4e51b693c3ffb44f4b07027afd2fa3d736675d6094c2a4e7",
			nextClient:     "fed8175bac9818218674e05e9c22e5b0466a9e61bdec0ae657f61b058860a0a2",
			exporter:       "432323faec5c4bb685a39a140564e901ec42f7bf3d2de56a874806661567dbb3",
			serverFinished: "08ede3f490fa46ce7f920594d96c5d654a3b5d1bc58b84502394a7c55d8eeda5",
			clientFinished: "8cdf48eafa26f1712fcdd4fd0ab2144b3df17d2a26ed6ba83fff410770f19607",
		},
		{
			hash:           crypto.SHA384,
			clientHS:       "cc8f6bcd3db0cd04477c6084b3d3523cda1cf2b28dfd354efbb26c002e66c651d1730165a51ee1448f9b07f11713424e",
			serverHS:       "87aa67663f33bc3300d19c8bef0469463ad0b3b3150b97fa4df1adcef9fc785a2a47a17f0dce9430029e16f7f0631094",
			clientAP:       "6a2eb3acb47a5f9fa682079b120507d17ec650fef3c7c00a06b1fdea3b4a7e988752ab30a2378d6abf5fd965a0a8d74f",
			serverAP:       "f6eb012422f600a6d4a0a3a78a5baa8debd71f30a20af15783046ff4cef28c4769ae893afe65d718f8cff5eaad93b3f8",
			nextClient:     "13125f36b3eb73222446c3d99edf1fbca97e3d58a4261abfc5aada73f73e88eb1cf38591b55474058e9446a91f491705",
			exporter:       "69e9f076aaab9e68a16be160cfaa22356276bd51db9dc6db41f392e22874d6d00ead96a2d55939364f81517eed6909cb",
			serverFinished: "ebd4969113fd1c77ede80b0072d9f79f31a8edea666a91596fedf00496d007f2cbac3aa1a1914d6ec900a7f0d5c41f57",
			clientFinished: "feeaba4a756bed6b8534df7d47a9f4251fe121785008de45de4535bf47b70b61b6fff9d3400566f4a25df11b2eca3819",
		},
	} {
		n := tc.hash.Size()
		want := func(what string, got []byte, want string) {
			t.Helper()
			if hex.EncodeToString(got) != want {
				t.Errorf("%v: %s is %x, want %s", tc.hash, what, got, want)
			}
		}
		s := newSchedule13(tc.hash)
		client, server := s.handshake(counted(0, n), counted(0x20, n))
		want("client's handshake secret", client.bytes(), tc.clientHS)
		want("server's handshake secret", server.bytes(), tc.serverHS)
		want("server's Finished", appendFinished(nil, tc.hash, server.bytes(), counted(0x40, n)), tc.serverFinished)
		want("client's Finished", appendFinished(nil, tc.hash, client.bytes(), counted(0x80, n)), tc.clientFinished)
		client, server, exporter := s.application(counted(0x60, n))
		want("client's application secret", client.bytes(), tc.clientAP)
		want("server's application secret", server.bytes(), tc.serverAP)
		next := nextSecret(tc.hash, client)
		want("client's next secret", next.bytes(), tc.nextClient)
		want("exporter's secret", exporter.bytes(), tc.exporter)
		if s.secret != (secret13{}) {
			t.Error("the master secret is kept")
		}
	}
}

// label13 is HKDF-Expand-Label from the standard library's HKDF, with the encoding of RFC 8446 section 7.1 written out.
func label13(tb testing.TB, h crypto.Hash, secret []byte, label string, context []byte, n int) []byte {
	w := cryptobyte.NewBuilder(nil)
	w.AddUint16(uint16(n))
	w.AddUint8LengthPrefixed(func(w *cryptobyte.Builder) { w.AddBytes([]byte("dtls13" + label)) })
	w.AddUint8LengthPrefixed(func(w *cryptobyte.Builder) { w.AddBytes(context) })
	b, err := hkdf.Expand(h.New, secret, string(w.BytesOrPanic()), n)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestExport13: RFC 8446 section 7.5, "TLS-Exporter(label, context_value, key_length) = HKDF-Expand-Label(Derive-Secret(Secret, label, ""),
// "exporter", Hash(context_value), key_length)", of lengths over and under a hash's.
func TestExport13(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		secret := counted(9, h.Size())
		sum := func(b []byte) []byte {
			d := h.New()
			d.Write(b)
			return d.Sum(nil)
		}
		for _, label := range []string{"EXTRACTOR-dtls_srtp", "", string(make([]byte, maxLabel))} {
			for _, context := range [][]byte{nil, {}, counted(0, 1000)} {
				for _, n := range []int{1, 31, 32, 48, 60, 88, 97, 255 * h.Size()} {
					derived := label13(t, h, secret, label, sum(nil), h.Size())
					want := label13(t, h, derived, "exporter", sum(context), n)
					if got := export13(h, secret, label, context, n); !bytes.Equal(got, want) {
						t.Errorf("%v, %q, %d bytes: %x, want %x", h, label, n, got, want)
					}
				}
			}
		}
	}
}

// sealed13 makes a record of epoch with k.
func sealed13(k *cipher13, typ uint8, seq uint64, plain []byte) []byte {
	head, tail := k.overhead()
	rec := make([]byte, head+len(plain)+tail)
	copy(rec[head:], plain)
	k.seal(rec, typ, seq)
	return rec
}

// TestRecord13 has records that pion/dtls makes (main of 2026-08-22) with the secrets of its internal/ciphersuite/tls_13_record_protection_test.go.
func TestRecord13(t *testing.T) {
	for suite, want := range map[uint16][3]string{
		suiteAES128GCM: {
			"2f604f002a3f26f5dcf7a777dc78fd0aaacdc5bba141327b45d94be951471a38330ebf5904e26bd964e479042b9d72",
			"2e38970011cdfd6774fefbf52b39beca37a7b279383c",
			"2c949b003918a9a4d501b92f2f22874fde6aa811d46ddcc94c03d63228546e147fbee891b1773722f7636d46c322402ff861486cd09bc43e444462253a54",
		},
		suiteAES256GCM: {
			"2ff7a0002ab17f57be5c825bed4fb74d04f116e6fcd3802413e91c6719333b340002d43aebec939c270e387b6658f1",
			"2e02000011d8342a2552c9e91f036fbbd46eaa56d2ae",
			"2ce73c00391f2299320cce59f377eeea8c371ce88d9a18222584783c38b3a758f22e36152c8009fe2b4641b71df1ee4c4183afaec2f739a95c452d89809b",
		},
		suiteChaCha20: {
			"2fd32e0030cb023ba3e07c31f11b3615bf5fd1444ab02037f6c980e457cd1d8f7e4148bd1e78886ae56e3ed08864c30f3427606dcc",
			"2e2aa40011b9dd386ddfe263454c7eb421f79a905851",
			"2c31fe00393f83d10d0b0050e6771d79b432e6a0c16f867f76918752c0423b62dbb02e13ca0e6786faf188b0f76e0d6cb0d5c75478d5c39dd1855f813f6d",
		},
	} {
		s := suiteByID(suite)
		text := map[uint16]string{
			suiteAES128GCM: "dtls13 aes-128-gcm vector", suiteAES256GCM: "dtls13 aes-256-gcm vector", suiteChaCha20: "dtls13 chacha20-poly1305 vector",
		}[suite]
		for i, r := range []struct {
			epoch, seq uint64
			typ        uint8
			plain      []byte
		}{
			{3, 0x0a0b0c0d0607, contentApplicationData, []byte(text)},
			{2, 0, contentHandshake, nil},
			{20, 65537, contentACK, bytes.Repeat([]byte{7}, 40)},
		} {
			k := newCipher13(s, counted(0, s.hash.Size()), r.epoch)
			raw := sealed13(k, r.typ, r.seq, r.plain)
			if hex.EncodeToString(raw) != want[i] {
				t.Errorf("%#x: record %d is %x, want %s", suite, i, raw, want[i])
			}
			rec, rest, ok := parseRecord13(raw)
			if !ok || len(rest) != 0 || rec.epochBits != uint8(r.epoch&3) {
				t.Fatalf("%#x: record %d parses to %+v, %v", suite, i, rec, ok)
			}
			k.rest() // and works again
			plain, typ, seq, ok := k.open(rec, r.seq+7)
			if !ok || typ != r.typ || seq != r.seq || !bytes.Equal(plain, r.plain) {
				t.Errorf("%#x: record %d opens to %x of type %d and number %d, %v", suite, i, plain, typ, seq, ok)
			}
		}
	}
}

// TestRecord13Forms: RFC 9147 section 4, a number may have 8 or 16 bits, "The length field MAY be omitted", and what no key of ours opens does not.
func TestRecord13Forms(t *testing.T) {
	for _, suite := range cipherSuites[:3] {
		k := newCipher13(&suite, counted(0, suite.hash.Size()), 6)
		const number = 0x1234
		// made is a record of this form: what seal does, header by header.
		made := func(first byte, inner []byte) []byte {
			b := []byte{first | 6&unifiedEpoch, number & 0xff}
			if first&unifiedSeq16 != 0 {
				b = []byte{b[0], number >> 8, number & 0xff}
			}
			n := len(b) - 1
			if first&unifiedLength != 0 {
				b = binary.BigEndian.AppendUint16(b, uint16(len(inner)+tagLen))
			}
			head := len(b)
			k.setNonce(number)
			b = k.aead.Seal(b, k.nonce[:], inner, b[:head])
			k.maskNumber(b[1:1+n], b[head:])
			return b
		}
		inner := append([]byte("some text"), contentApplicationData)
		for _, first := range []byte{0x20, 0x24, 0x28, 0x2c} {
			b := made(first, append(inner, 0, 0, 0))
			if first&unifiedLength != 0 {
				b = append(b, "rest"...)
			}
			r, rest, ok := parseRecord13(b)
			if !ok || string(rest) != "rest"[:len(rest)] || (len(rest) == 4) != (first&unifiedLength != 0) {
				t.Fatalf("%#x parses with %q behind it, %v", first, rest, ok)
			}
			before := bytes.Clone(b)
			for range 2 {
				plain, typ, seq, ok := k.openTrial(r, number-50)
				if !ok || string(plain) != "some text" || typ != contentApplicationData || seq != number {
					t.Errorf("%#x: %q of type %d and number %#x, %v", first, plain, typ, seq, ok)
				}
			}
			if _, _, _, ok := newCipher13(&suite, counted(1, suite.hash.Size()), 6).openTrial(r, number); ok {
				t.Errorf("%#x opens with another key", first)
			}
			if !bytes.Equal(b, before) {
				t.Errorf("%#x: a trial changes the record", first)
			}
			// Too far off for the bits there are.
			if _, _, _, ok := k.openTrial(r, number+1<<(8*r.seqLen)); ok {
				t.Errorf("%#x opens under another number", first)
			}
			if _, _, _, ok := k.open(r, number); !ok {
				t.Errorf("%#x does not open in place", first)
			}
		}
		for name, b := range map[string][]byte{
			"empty": {}, "connection ID": append([]byte{0x30}, make([]byte, 40)...), "half a header": {0x2c, 0, 0, 0}, "number missing": {0x20}, "not unified": {0x4c, 0, 0, 0, 0},
			"longer than its datagram": {0x2c, 0, 0, 0, 2, 1},
		} {
			if r, _, ok := parseRecord13(b); ok {
				t.Errorf("%s: %+v", name, r)
			}
		}
		// RFC 9147 section 4.2.3: "Receivers MUST reject shorter records as if they had failed deprotection".
		for n := range maskSample {
			r, _, _ := parseRecord13(append([]byte{0x20, 1}, make([]byte, n)...))
			if _, _, _, ok := k.open(r, 0); ok {
				t.Errorf("%d bytes of ciphertext open", n)
			}
		}
		// RFC 8446 section 5.4: no octet but zeros.
		for _, n := range []int{0, 20} {
			r, _, _ := parseRecord13(made(0x2c, make([]byte, n)))
			if plain, typ, _, ok := k.open(r, number); !ok || typ != 0 || len(plain) != 0 {
				t.Errorf("%d bytes of padding alone open to %x of type %d, %v", n, plain, typ, ok)
			}
		}
		// RFC 8446 section 5.2: "The length MUST NOT exceed 2^14 + 256 bytes", 2^14 + 1 of it inside.
		for n, want := range map[int]bool{maxInner: true, maxInner + 1: false} {
			r, _, _ := parseRecord13(made(0x2c, bytes.Repeat([]byte{contentApplicationData}, n)))
			if plain, _, _, ok := k.open(r, number); ok != want || ok && len(plain) != n-1 {
				t.Errorf("%d bytes: %d, %v", n, len(plain), ok)
			}
		}
		// A number that no sender may use.
		raw := sealed13(k, contentApplicationData, maxSequence+1, nil)
		r, _, _ := parseRecord13(raw)
		if _, _, _, ok := k.open(r, maxSequence); ok {
			t.Error("a number over 2^48-1 opens")
		}
	}
}

// TestNumberMask: whatever the ciphertext begins with makes a mask, the last block counter of ChaCha20 included.
func TestNumberMask(t *testing.T) {
	for _, suite := range cipherSuites[:3] {
		k := newCipher13(&suite, counted(0, suite.hash.Size()), 3)
		for _, fill := range []byte{0, 0xff} {
			number := []byte{1, 2}
			sample := bytes.Repeat([]byte{fill}, maskSample)
			k.maskNumber(number, sample)
			if bytes.Equal(number, []byte{1, 2}) {
				t.Errorf("%#x: no mask", suite.id)
			}
			k.maskNumber(number, sample)
			if !bytes.Equal(number, []byte{1, 2}) {
				t.Errorf("%#x: another mask", suite.id)
			}
		}
	}
}

// TestNearestNumber is RFC 9147 section 4.2.2.
func TestNearestNumber(t *testing.T) {
	for _, tc := range []struct {
		truncated uint64
		bytes     int
		next      uint64
		want      uint64
	}{
		{0, 1, 0, 0},
		{255, 1, 0, 255}, // nothing is below 0
		{255, 1, 1, 255},
		{255, 1, 256, 255},
		{0, 1, 255, 256},
		{0x80, 1, 0x180, 0x180},
		{0xff, 1, 0x17e, 0xff},
		{0xff, 1, 0x180, 0x1ff},
		{0, 1, 0x181, 0x200},
		{0, 2, 0xffff, 0x10000},
		{0xffff, 2, 0x10000, 0xffff},
		{0xfffe, 2, 0x123450000, 0x12344fffe},
		{1, 2, maxSequence, maxSequence + 2}, // open refuses it
	} {
		if got := nearestNumber(tc.truncated, tc.bytes, tc.next); got != tc.want {
			t.Errorf("%#x in %d bytes beside %#x: %#x, want %#x", tc.truncated, tc.bytes, tc.next, got, tc.want)
		}
	}
	// Nothing with the same low bytes is nearer.
	for next := range uint64(2000) {
		for truncated := range uint64(256) {
			got := nearestNumber(truncated, 1, next)
			distance := func(n uint64) uint64 { return max(n, next) - min(n, next) }
			if got&0xff != truncated || distance(got+256) < distance(got) || got >= 256 && distance(got-256) < distance(got) {
				t.Fatalf("%#x beside %#x: %#x", truncated, next, got)
			}
		}
	}
}

// TestNoAllocations13: a record of 1.3 costs no allocation, sealed, opened or forged.
func TestNoAllocations13(t *testing.T) {
	for _, suite := range cipherSuites[:3] {
		k, peer := newCipher13(&suite, counted(0, suite.hash.Size()), 3), newCipher13(&suite, counted(0, suite.hash.Size()), 3)
		buf := make([]byte, 1200)
		seq := uint64(0)
		carry := func(damage byte) {
			k.seal(buf, contentApplicationData, seq)
			buf[100] ^= damage
			r, _, ok := parseRecord13(buf)
			if _, typ, n, opened := peer.open(r, seq); !ok || opened != (damage == 0) || opened && (typ != contentApplicationData || n != seq) {
				t.Fatalf("%#x: record %d opens as %d of type %d, %v", suite.id, seq, n, typ, opened)
			}
			seq++
		}
		for _, damage := range []byte{0, 1} {
			if n := testing.AllocsPerRun(100, func() { carry(damage) }); n != 0 {
				t.Errorf("%#x, damage %d: %v allocations", suite.id, damage, n)
			}
		}
	}
}

// BenchmarkSealOpen is a record of 1200 bytes through the ciphers alone, of 1.2 and of 1.3.
func BenchmarkSealOpen(b *testing.B) {
	secret := sha256.Sum256(nil)
	for _, suite := range []uint16{suiteECDHEECDSAAES128GCM, suiteAES128GCM, suiteECDHEECDSAChaCha20, suiteChaCha20} {
		s := suiteByID(suite)
		buf := make([]byte, 1200+64)
		b.Run(fmt.Sprintf("%#04x", suite), func(b *testing.B) {
			b.SetBytes(1200)
			b.ReportAllocs()
			seq := uint64(0)
			if s.tls13 {
				k, peer := newCipher13(s, secret[:], 3), newCipher13(s, secret[:], 3)
				head, tail := k.overhead()
				rec := buf[:head+1200+tail]
				for b.Loop() {
					k.seal(rec, contentApplicationData, seq)
					r, _, _ := parseRecord13(rec)
					if _, _, _, ok := peer.open(r, seq); !ok {
						b.Fatal("does not open")
					}
					seq++
				}
				return
			}
			k, peer := newRecordCipher(s, secret[:s.keyLen], secret[:s.ivLen()]), newRecordCipher(s, secret[:s.keyLen], secret[:s.ivLen()])
			head, tail := k.overhead()
			rec := buf[:head+1200+tail]
			for b.Loop() {
				k.seal(rec, contentApplicationData, epochProtected, seq)
				r, _, _ := parseRecord(rec)
				if _, ok := peer.open(r.raw); !ok {
					b.Fatal("does not open")
				}
				seq++
			}
		})
	}
}
