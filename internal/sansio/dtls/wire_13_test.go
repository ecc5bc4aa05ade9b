package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/sha256"
	"reflect"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// TestHelloExtensions13: what 1.3 adds to the hellos, byte for byte in each of its forms (RFC 8446 sections 4.2.1, 4.2.2 and 4.2.8).
func TestHelloExtensions13(t *testing.T) {
	retry := [randomLen]byte([]byte(retryRandom))
	if retry != sha256.Sum256([]byte("HelloRetryRequest")) {
		t.Error("retryRandom is not the hash that RFC 8446 section 4.1.3 has")
	}
	present := []uint16{extSupportedVersions, extCookie, extKeyShare}
	for name, tc := range map[string]struct {
		form helloForm
		e    helloExtensions
		want string
	}{
		"ClientHello": {
			form: formClientHello,
			e: helloExtensions{
				present: present, versions: []uint16{version13, version12}, cookie: []byte("cook"),
				shares: []keyShare{{groupX25519, []byte("xx")}, {groupP256, []byte("p")}},
			},
			want: "\x00\x24\x00\x2b\x00\x05\x04\xfe\xfc\xfe\xfd\x00\x2c\x00\x06\x00\x04cook\x00\x33\x00\x0d\x00\x0b\x00\x1d\x00\x02xx\x00\x17\x00\x01p",
		},
		"ClientHello that asks for a retry": {
			form: formClientHello,
			e:    helloExtensions{present: []uint16{extKeyShare}},
			want: "\x00\x06\x00\x33\x00\x02\x00\x00",
		},
		"ServerHello": {
			form: formServerHello,
			e:    helloExtensions{present: []uint16{extSupportedVersions, extKeyShare}, versions: []uint16{version13}, shares: []keyShare{{groupP256, []byte("pp")}}},
			want: "\x00\x10\x00\x2b\x00\x02\xfe\xfc\x00\x33\x00\x06\x00\x17\x00\x02pp",
		},
		"HelloRetryRequest": {
			form: formRetryRequest,
			e:    helloExtensions{present: present, versions: []uint16{version13}, cookie: []byte("c"), shares: []keyShare{{groupP384, nil}}},
			want: "\x00\x13\x00\x2b\x00\x02\xfe\xfc\x00\x2c\x00\x03\x00\x01c\x00\x33\x00\x02\x00\x18",
		},
	} {
		if got := tc.e.append(nil, tc.form); string(got) != tc.want {
			t.Errorf("%s: %x, want %x", name, got, tc.want)
		}
		var e helloExtensions
		s := []byte(tc.want)
		if !e.read((*cryptobyte.String)(&s), tc.form) || !reflect.DeepEqual(e, tc.e) {
			t.Errorf("%s: %x reads as %+v", name, tc.want, e)
		}
		for n := 3; n < len(tc.want); n++ {
			s := []byte(tc.want)[:n]
			if new(helloExtensions).read((*cryptobyte.String)(&s), tc.form) {
				t.Errorf("%s: %d bytes of it read", name, n)
			}
		}
	}
	for name, tc := range map[string]struct {
		form helloForm
		body string
	}{
		"two shares of a group":      {formClientHello, "\x00\x10\x00\x33\x00\x0c\x00\x0a\x00\x1d\x00\x01a\x00\x1d\x00\x01b"},
		"share without a key":        {formClientHello, "\x00\x0a\x00\x33\x00\x06\x00\x04\x00\x1d\x00\x00"},
		"server's share with no key": {formServerHello, "\x00\x08\x00\x33\x00\x04\x00\x1d\x00\x00"},
		"no server's share":          {formServerHello, "\x00\x04\x00\x33\x00\x00"},
		"two server's shares":        {formServerHello, "\x00\x0e\x00\x33\x00\x0a\x00\x1d\x00\x01a\x00\x17\x00\x01b"},
		"two retry groups":           {formRetryRequest, "\x00\x08\x00\x33\x00\x04\x00\x1d\x00\x17"},
		"two versions chosen":        {formServerHello, "\x00\x08\x00\x2b\x00\x04\xfe\xfc\xfe\xfd"},
		"half a version":             {formClientHello, "\x00\x06\x00\x2b\x00\x02\x01\xfe"},
		"empty cookie":               {formClientHello, "\x00\x06\x00\x2c\x00\x02\x00\x00"},
		"two key_share":              {formClientHello, "\x00\x0c\x00\x33\x00\x02\x00\x00\x00\x33\x00\x02\x00\x00"},
	} {
		s := []byte(tc.body)
		if new(helloExtensions).read((*cryptobyte.String)(&s), tc.form) {
			t.Errorf("%s reads", name)
		}
	}

	h, ok := parseClientHello(chromiumHello(1, [randomLen]byte{}))
	if !ok || len(h.extensions.shares) != 2 || len(h.extensions.share(groupX25519MLKEM768)) != 1216 || len(h.extensions.share(groupX25519)) != 32 ||
		h.extensions.share(groupP256) != nil {
		t.Errorf("shares of Chromium: %v", h.extensions.shares)
	}
	// GREASE and what else is unknown is passed over.
	e := helloExtensions{present: []uint16{extKeyShare}, shares: []keyShare{{0x6a6a, []byte{0}}, {groupP256, []byte("p")}, {0x11eb, make([]byte, 1200)}}}
	s := e.append(nil, formClientHello)
	var read helloExtensions
	if !read.read((*cryptobyte.String)(&s), formClientHello) || !slices.EqualFunc(read.shares, e.shares[1:2], equalShares) {
		t.Errorf("shares %v", read.shares)
	}
}

func equalShares(a, b keyShare) bool { return a.group == b.group && bytes.Equal(a.key, b.key) }

// TestServerHello13: the random says whether it is a HelloRetryRequest, and whether somebody has had 1.3 taken away (RFC 8446 section 4.1.3).
func TestServerHello13(t *testing.T) {
	for name, tc := range map[string]struct {
		random           string
		retry, downgrade bool
	}{
		"random":                {"0123456789abcdef0123456789abcdef", false, false},
		"HelloRetryRequest":     {retryRandom, true, false},
		"1.2 in place of 1.3":   {"0123456789abcdef01234567DOWNGRD\x01", false, true},
		"1.0 in place of 1.3":   {"0123456789abcdef01234567DOWNGRD\x00", false, true},
		"sentinel of something": {"0123456789abcdef01234567DOWNGRD\x02", false, false},
	} {
		made := serverHello{version: version12, random: [randomLen]byte([]byte(tc.random)), suite: suiteAES128GCM}
		made.extensions = helloExtensions{present: []uint16{extKeyShare}, shares: []keyShare{{groupX25519, []byte("key")}}}
		h, ok := parseServerHello(made.append(nil))
		if !ok || h.isRetry() != tc.retry || h.isDowngrade() != tc.downgrade || len(h.extensions.shares) != 1 || (h.extensions.shares[0].key == nil) != tc.retry {
			t.Errorf("%s: %+v, %v", name, h, ok)
		}
	}
}

// TestMessages13: the messages of 1.3 byte for byte, and no part of them.
func TestMessages13(t *testing.T) {
	type parsed = any
	parse := map[string]func(b []byte) (parsed, bool){
		"EncryptedExtensions": func(b []byte) (parsed, bool) { m, ok := parseEncryptedExtensions(b); return m, ok },
		"CertificateRequest":  func(b []byte) (parsed, bool) { m, ok := parseCertificateRequest13(b); return m, ok },
		"Certificate":         func(b []byte) (parsed, bool) { m, ok := parseCertificate13(b); return m, ok },
		"KeyUpdate":           func(b []byte) (parsed, bool) { m, ok := parseKeyUpdate(b); return m, ok },
		"NewSessionTicket":    func(b []byte) (parsed, bool) { return nil, parseNewSessionTicket(b) },
		"ACK":                 func(b []byte) (parsed, bool) { m, ok := parseACK(b); return m, ok },
	}
	encrypted := encryptedExtensions{helloExtensions{present: []uint16{extUseSRTP, 99}, srtpProfiles: []uint16{7}, srtpMKI: []byte{}}}
	nothing := encryptedExtensions{}
	request := certificateRequest13{context: []byte{}, schemes: []uint16{0x0403, 0x0804}}
	chain := certificate13{context: []byte{}, chain: [][]byte{[]byte("leaf"), []byte("root")}}
	numbers := []recordNumber{{2, 0}, {3, 1<<48 - 1}}
	for _, tc := range []struct {
		message string
		made    []byte // nil: we never make it so
		bytes   string
		want    parsed
	}{
		{"EncryptedExtensions", encrypted.append(nil), "\x00\x0d\x00\x0e\x00\x05\x00\x02\x00\x07\x00\x00\x63\x00\x00", encrypted},
		{"EncryptedExtensions", nothing.append(nil), "\x00\x00", nothing},
		{"CertificateRequest", request.append(nil), "\x00\x00\x0a\x00\x0d\x00\x06\x00\x04\x04\x03\x08\x04", request},
		{"CertificateRequest", nil, "\x00\x00\x05\x00\x2f\x00\x01\x00", certificateRequest13{context: []byte{}}},
		{"CertificateRequest", nil, "\x01c\x00\x00", certificateRequest13{context: []byte("c")}},
		{"Certificate", chain.append(nil), "\x00\x00\x00\x12\x00\x00\x04leaf\x00\x00\x00\x00\x04root\x00\x00", chain},
		{"Certificate", nil, "\x00\x00\x00\x00", certificate13{context: []byte{}}},
		{"Certificate", nil, "\x00\x00\x00\x0a\x00\x00\x01l\x00\x04\x00\x05\x00\x00", certificate13{context: []byte{}, chain: [][]byte{{'l'}}, extended: true}},
		{"KeyUpdate", appendKeyUpdate(nil, updateRequested), "\x01", uint8(updateRequested)},
		{"KeyUpdate", appendKeyUpdate(nil, updateNotRequested), "\x00", uint8(updateNotRequested)},
		{"NewSessionTicket", nil, "\x00\x00\x1c\x20\x01\x02\x03\x04\x02nn\x00\x06ticket\x00\x00", nil},
		{"NewSessionTicket", nil, "\x00\x00\x1c\x20\x01\x02\x03\x04\x00\x00\x01t\x00\x08\x00\x2a\x00\x04\xff\xff\xff\xff", nil},
		{"ACK", appendACK(nil, nil), "\x00\x00", []recordNumber{}},
		{"ACK", appendACK(nil, numbers), "\x00\x20\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\xff\xff\xff\xff\xff\xff", numbers},
	} {
		if tc.made != nil && string(tc.made) != tc.bytes {
			t.Errorf("%s is made as %x, want %x", tc.message, tc.made, tc.bytes)
		}
		got, ok := parse[tc.message]([]byte(tc.bytes))
		if !ok || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s %x is %+v, %v; want %+v", tc.message, tc.bytes, got, ok, tc.want)
		}
		for n := range len(tc.bytes) {
			if _, ok := parse[tc.message]([]byte(tc.bytes)[:n]); ok {
				t.Errorf("%s %x parses", tc.message, tc.bytes[:n])
			}
		}
		if _, ok := parse[tc.message](append([]byte(tc.bytes), 0)); ok {
			t.Errorf("%s %x parses with a byte too many", tc.message, tc.bytes)
		}
	}
	for message, bad := range map[string]string{
		"Certificate":      "\x00\x00\x00\x05\x00\x00\x00\x00\x00",
		"NewSessionTicket": "\x00\x00\x1c\x20\x01\x02\x03\x04\x00\x00\x00\x00\x00",
		"ACK":              "\x00\x0f\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00",
	} {
		if _, ok := parse[message]([]byte(bad)); ok {
			t.Errorf("%s %x parses", message, bad)
		}
	}
	long := certificate13{chain: slices.Repeat([][]byte{{1}}, maxChain)}
	if _, ok := parseCertificate13(long.append(nil)); !ok {
		t.Error("a chain of the largest length does not parse")
	}
	long.chain = append(long.chain, []byte{1})
	if _, ok := parseCertificate13(long.append(nil)); ok {
		t.Error("a chain over the largest length parses")
	}
	own := Certificate{Chain: chain.chain}
	if b := own.append13(nil); !bytes.Equal(b, chain.append(nil)) || len(b) != own.size() {
		t.Errorf("own certificate is %x, of size %d", b, own.size())
	}
}

// TestSignedContent13 is the example of RFC 8446 section 4.4.3, and the client's beside it.
func TestSignedContent13(t *testing.T) {
	hash := bytes.Repeat([]byte{1}, 32)
	want := unhex(t, "20202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020"+
		"544c5320312e332c207365727665722043657274696669636174655665726966790001010101010101010101010101010101010101010101010101010101010101"+"01")
	if got := signedContent13(false, hash); !bytes.Equal(got, want) {
		t.Errorf("server signs %x, want %x", got, want)
	}
	want = bytes.Replace(want, []byte("server"), []byte("client"), 1)
	if got := signedContent13(true, hash); !bytes.Equal(got, want) {
		t.Errorf("client signs %x, want %x", got, want)
	}
}

// TestSchemes13: RFC 8446 section 4.2.3, a scheme of ECDSA is for one curve, and RSA signs with PSS.
func TestSchemes13(t *testing.T) {
	p256, p384 := clientCert.PrivateKey.Public(), p384Certificate(t).PrivateKey.Public()
	ed, rsaKey := ed25519Certificate(t).PrivateKey.Public(), rsaCertificate(t).PrivateKey.Public()
	var all []uint16
	for i := range signatureSchemes {
		all = append(all, signatureSchemes[i].id)
	}
	for name, tc := range map[string]struct {
		key  crypto.PublicKey
		fits []uint16
	}{
		"P-256":   {p256, []uint16{schemeECDSASHA256}},
		"P-384":   {p384, []uint16{schemeECDSASHA384}},
		"Ed25519": {ed, []uint16{schemeEd25519}},
		"RSA":     {rsaKey, []uint16{schemePSSSHA256, schemePSSSHA384, schemePSSSHA512}},
		"no key":  {nil, nil},
	} {
		var fits []uint16
		for i := range signatureSchemes {
			if schemeFits13(&signatureSchemes[i], tc.key) {
				fits = append(fits, signatureSchemes[i].id)
			}
		}
		if !slices.Equal(fits, tc.fits) {
			t.Errorf("%s may sign with %#04x, want %#04x", name, fits, tc.fits)
		}
		others := slices.DeleteFunc(slices.Clone(all), func(id uint16) bool { return slices.Contains(tc.fits, id) })
		if s := pickScheme13(tc.key, others); s != nil {
			t.Errorf("%s signs with %#04x", name, s.id)
		}
		for i := range tc.fits {
			if s := pickScheme13(tc.key, append(others, tc.fits[i:]...)); s == nil || s.id != tc.fits[i] {
				t.Errorf("%s signs with %+v where it may with %#04x", name, s, tc.fits[i:])
			}
		}
	}
}

// TestKeyExchange13: both sides of each group agree, the client's share is what its randomness makes it, and a bad share is an error.
func TestKeyExchange13(t *testing.T) {
	sizes := map[uint16][3]int{groupX25519MLKEM768: {1216, 1120, 64}, groupP256: {65, 65, 32}, groupX25519: {32, 32, 32}, groupP384: {97, 97, 48}}
	for _, group := range groups13 {
		client, err := newShare13(seeded(1), group)
		if err != nil {
			t.Fatal(err)
		}
		again, err := newShare13(seeded(1), group)
		if err != nil || !bytes.Equal(client.public(), again.public()) {
			t.Errorf("%#x: the same randomness makes another share, %v", group, err)
		}
		public, secret, err := answerShare13(seeded(2), group, client.public())
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.finish(public)
		if err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%#x: %x and %x, %v", group, got, secret, err)
		}
		if size := [3]int{len(client.public()), len(public), len(secret)}; size != sizes[group] {
			t.Errorf("%#x: client's share, server's and secret have %d bytes, want %d", group, size, sizes[group])
		}
		for name, damage := range map[string]func(b []byte) []byte{
			"nothing":  func([]byte) []byte { return nil },
			"short":    func(b []byte) []byte { return b[:len(b)-1] },
			"long":     func(b []byte) []byte { return append(b, 0) },
			"no point": func(b []byte) []byte { clear(b[max(0, len(b)-97):]); return b },
		} {
			if _, _, err := answerShare13(seeded(2), group, damage(client.public())); err == nil {
				t.Errorf("%#x: a server takes a share with %s", group, name)
			}
			if _, err := client.finish(damage(bytes.Clone(public))); err == nil {
				t.Errorf("%#x: a client takes a share with %s", group, name)
			}
		}
		for n := range 64 + 32 {
			if _, err := newShare13(bytes.NewReader(make([]byte, n)), group); err == nil && n < 32 {
				t.Errorf("%#x: a share from %d bytes of randomness", group, n)
			}
		}
		if _, _, err := answerShare13(bytes.NewReader(nil), group, client.public()); err == nil {
			t.Errorf("%#x: an answer without randomness", group)
		}
	}
	if _, err := newShare13(bytes.NewReader(make([]byte, 95)), groupX25519MLKEM768); err == nil {
		t.Error("ML-KEM from too little randomness")
	}
}

// TestHybridLayout: the parts of X25519MLKEM768 in their order, against the standard library's primitives. draft-ietf-tls-ecdhe-mlkem section 4:
// the client's share is "the concatenation of [...] ML-KEM-768 encapsulation key and an X25519 ephemeral share", and the secret begins with ML-KEM's.
func TestHybridLayout(t *testing.T) {
	kem, err := mlkem.NewDecapsulationKey768(counted(0, mlkem.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	point, err := ecdh.X25519().NewPrivateKey(counted(5, 32))
	if err != nil {
		t.Fatal(err)
	}
	public, secret, err := answerShare13(seeded(1), groupX25519MLKEM768, append(kem.EncapsulationKey().Bytes(), point.PublicKey().Bytes()...))
	if err != nil {
		t.Fatal(err)
	}
	first, err := kem.Decapsulate(public[:mlkem.CiphertextSize768])
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ecdh.X25519().NewPublicKey(public[mlkem.CiphertextSize768:])
	if err != nil {
		t.Fatal(err)
	}
	second, err := point.ECDH(peer)
	if err != nil || !bytes.Equal(secret, append(first, second...)) {
		t.Errorf("secret is %x, want %x and %x, %v", secret, first, second, err)
	}
	// FIPS 203 section 7.2: an encapsulation key with a coefficient that is not reduced is refused.
	bad := append(kem.EncapsulationKey().Bytes(), point.PublicKey().Bytes()...)
	for i := range 3 {
		bad[i] = 0xff
	}
	if _, _, err := answerShare13(seeded(1), groupX25519MLKEM768, bad); err == nil {
		t.Error("a server takes an encapsulation key out of range")
	}
}

// FuzzWire13 gives bytes to each parser of 1.3; what parses is made again and is the same.
func FuzzWire13(f *testing.F) {
	f.Add(uint8(0), (&encryptedExtensions{helloExtensions{present: []uint16{extUseSRTP}, srtpProfiles: []uint16{7}}}).append(nil))
	f.Add(uint8(1), (&certificateRequest13{schemes: []uint16{0x0403}}).append(nil))
	f.Add(uint8(2), (&certificate13{chain: clientCert.Chain}).append(nil))
	f.Add(uint8(3), appendKeyUpdate(nil, updateRequested))
	f.Add(uint8(4), []byte("\x00\x00\x1c\x20\x01\x02\x03\x04\x02nn\x00\x06ticket\x00\x00"))
	f.Add(uint8(5), appendACK(nil, []recordNumber{{2, 3}}))
	f.Add(uint8(6), (&serverHello{
		version: version12, random: [randomLen]byte([]byte(retryRandom)),
		extensions: helloExtensions{present: []uint16{extKeyShare, extCookie}, shares: []keyShare{{groupP256, nil}}, cookie: []byte{1}},
	}).append(nil))
	f.Add(uint8(7), (&clientHello{extensions: helloExtensions{present: []uint16{extKeyShare}, shares: []keyShare{{groupP256, []byte{1}}}}}).append(nil))
	f.Fuzz(func(t *testing.T, parser uint8, b []byte) {
		same := func(again []byte) {
			if !bytes.Equal(again, b) {
				t.Fatalf("%x parses, and is made again as %x", b, again)
			}
		}
		switch parser % 8 {
		case 0:
			if m, ok := parseEncryptedExtensions(b); ok {
				if again, ok := parseEncryptedExtensions(m.append(nil)); !ok || !bytes.Equal(again.append(nil), m.append(nil)) {
					t.Fatalf("%+v becomes %+v", m, again)
				}
			}
		case 1:
			if m, ok := parseCertificateRequest13(b); ok {
				if again, ok := parseCertificateRequest13(m.append(nil)); !ok || !slices.Equal(again.schemes, m.schemes) {
					t.Fatalf("%+v becomes %+v", m, again)
				}
			}
		case 2:
			if m, ok := parseCertificate13(b); ok && !m.extended {
				same(m.append(nil))
			}
		case 3:
			if request, ok := parseKeyUpdate(b); ok {
				same(appendKeyUpdate(nil, request))
			}
		case 4:
			parseNewSessionTicket(b)
		case 5:
			if numbers, ok := parseACK(b); ok {
				same(appendACK(nil, numbers))
			}
		case 6:
			if h, ok := parseServerHello(b); ok {
				if again, ok := parseServerHello(h.append(nil)); !ok || !bytes.Equal(again.append(nil), h.append(nil)) {
					t.Fatalf("%+v becomes %+v", h, again)
				}
			}
		case 7:
			if h, ok := parseClientHello(b); ok {
				for _, s := range h.extensions.shares {
					_, _, _ = answerShare13(seeded(1), s.group, s.key)
				}
			}
		}
	})
}

// FuzzRecord13: anybody's records do not open and do not panic; ours open to what was sealed, and do not with a byte changed.
func FuzzRecord13(f *testing.F) {
	f.Add(uint8(0), uint64(5), uint64(3), []byte("text"), uint16(9))
	f.Add(uint8(1), uint64(1)<<40, uint64(1)<<40+30000, []byte{}, uint16(0))
	f.Add(uint8(2), uint64(maxSequence), uint64(maxSequence), []byte{0x2c, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint16(3))
	f.Fuzz(func(t *testing.T, suite uint8, seq, next uint64, b []byte, at uint16) {
		s := &cipherSuites[suite%3]
		k := newCipher13(s, counted(suite, s.hash.Size()), uint64(suite))
		for rest := bytes.Clone(b); ; {
			r, left, ok := parseRecord13(rest)
			if !ok {
				break
			}
			if len(r.raw)+len(left) != len(rest) || len(r.raw) < r.header {
				t.Fatal("a record of another length")
			}
			if _, _, _, ok := k.open(r, next&maxSequence); ok {
				t.Fatalf("%x opens", b)
			}
			rest = left
		}
		if len(b) > maxPlaintext {
			return
		}
		seq &= maxSequence
		next = max(seq, 1<<15) - 1<<15 + next%(1<<16) // what reordering may make of it
		raw := sealed13(k, contentApplicationData, seq, b)
		damaged := bytes.Clone(raw)
		damaged[int(at)%len(raw)] ^= 1 + byte(at>>8)&0x7f
		if r, _, ok := parseRecord13(damaged); ok {
			if _, _, _, ok := k.openTrial(r, next); ok {
				t.Fatalf("%x opens", damaged)
			}
		}
		r, _, ok := parseRecord13(raw)
		if !ok {
			t.Fatalf("%x does not parse", raw)
		}
		plain, typ, n, ok := k.openTrial(r, next)
		if distance := max(seq, next) - min(seq, next); distance >= 1<<15 {
			return
		}
		if !ok || typ != contentApplicationData || n != seq || !bytes.Equal(plain, b) {
			t.Fatalf("%x of number %d opens beside %d to %x of type %d and number %d, %v", b, seq, next, plain, typ, n, ok)
		}
	})
}
