package jsep

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// credentials are an ICE username fragment and password.
type credentials struct{ ufrag, pwd string }

// setup is the value of a=setup (RFC 4145, section 4).
type setup uint8

const (
	setupAbsent setup = iota
	setupActPass
	setupActive
	setupPassive
	setupHoldConn
)

// setupNames is indexed by setup.
var setupNames = [...]string{"", "actpass", "active", "passive", "holdconn"}

// transportAttributes are those of category TRANSPORT or IDENTICAL (RFC 8859) that concern us: in a bundle they belong to all sections.
type transportAttributes struct {
	credentials
	fingerprints []Fingerprint // only those with a hash function that we accept
	otherHashes  bool          // there are fingerprints that we don't accept
	setup        setup
	tlsID        string
	trickle      bool
	sped         spedOptions
}

// absent tells that neither ICE nor DTLS is described.
func (t *transportAttributes) absent() bool {
	return t.credentials == credentials{} && len(t.fingerprints) == 0 && !t.otherHashes
}

// maxFingerprints bounds what is compared with a certificate; nobody has more than a few certificates.
const maxFingerprints = 32

// read takes an attribute if it is one of these; false: it is malformed.
func (t *transportAttributes) read(a *sdp.Attribute) bool {
	switch a.Key {
	case "ice-ufrag":
		t.ufrag = a.Value
		return validICE(a.Value, 4)
	case "ice-pwd":
		t.pwd = a.Value
		return validICE(a.Value, 22)
	case "ice-options":
		for option := range strings.FieldsSeq(a.Value) {
			t.trickle = t.trickle || option == "trickle"
			t.sped.add(option)
		}
	case "fingerprint":
		algorithm, hex, _ := strings.Cut(a.Value, " ")
		f, accepted, ok := Fingerprint{algorithm, hex}.normal()
		if ok && accepted && len(t.fingerprints) < maxFingerprints && !slices.Contains(t.fingerprints, f) {
			t.fingerprints = append(t.fingerprints, f)
		}
		t.otherHashes = t.otherHashes || !accepted
		return ok
	case "setup":
		n := slices.Index(setupNames[1:], a.Value)
		t.setup = setup(n + 1)
		return n >= 0
	case "tls-id":
		t.tlsID = a.Value
	}
	return true
}

// inherit fills what a section does not say from the session level.
func (t *transportAttributes) inherit(from *transportAttributes) {
	if t.ufrag == "" {
		t.ufrag = from.ufrag
	}
	if t.pwd == "" {
		t.pwd = from.pwd
	}
	if len(t.fingerprints) == 0 && !t.otherHashes {
		t.fingerprints, t.otherHashes = from.fingerprints, from.otherHashes
	}
	if t.setup == setupAbsent {
		t.setup = from.setup
	}
	if t.tlsID == "" {
		t.tlsID = from.tlsID
	}
	t.trickle = t.trickle || from.trickle
	t.sped |= from.sped
}

// validICE checks an ICE username fragment or password.
//
// RFC 8839, section 5.4: 4 to 256 ice-chars, or 22 to 256. Not only the ice-chars of the grammar are let through: servers in use have
// '-', '_', '=' and '#' in them, and browsers accept those.
func validICE(s string, least int) bool {
	if len(s) < least || len(s) > 256 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("+/-_=#", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// normal is f in the letters of the type's comment; ok is false if it is malformed. Not accepted are hash functions that RFC 8122, section 5 forbids (MD2, MD5), SHA-1, which is
// too weak by now, and those that we don't know.
func (f Fingerprint) normal() (_ Fingerprint, accepted, ok bool) {
	v, lower := strings.TrimSpace(f.Value), false
	if len(v)%3 != 2 {
		return f, false, false
	}
	for i := 0; i < len(v); i += 3 {
		if !isHex(v[i]) || !isHex(v[i+1]) || i+2 < len(v) && v[i+2] != ':' {
			return f, false, false
		}
		lower = lower || v[i] >= 'a' || v[i+1] >= 'a'
	}
	if lower {
		v = strings.ToUpper(v)
	}
	f.Algorithm, f.Value = strings.ToLower(f.Algorithm), v
	size := 0
	switch f.Algorithm {
	case "sha-224":
		size = 28
	case "sha-256":
		size = 32
	case "sha-384":
		size = 48
	case "sha-512":
		size = 64
	default:
		return f, false, true
	}
	return f, true, len(f.Value) == size*3-1
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f' }

// dataAttributes describe an SCTP association (RFC 8841).
type dataAttributes struct {
	is         bool // the section is one for WebRTC data channels
	old        bool // in the form of draft-ietf-mmusic-sctp-sdp-05 and before: a=sctpmap
	port       uint16
	maxMessage int    // 0: any size
	sctpInit   string // the value of a=sctp-init, which is base64; "": there is none
	chunk      []byte // what it says
}

const (
	dataFormat = "webrtc-datachannel"

	// RFC 8841, section 6.1: without max-message-size "the default value is 64K".
	defaultMaxMessage = 65536
	// RFC 8841, section 5.1 wants a=sctp-port in each section; who leaves it out means the port that all use.
	defaultPort = 5000
)

// readData fills data; false: an attribute is malformed.
func (s *section) readData(attributes []sdp.Attribute) bool {
	if s.kind != "application" || len(s.formats) == 0 {
		return true
	}
	switch s.proto {
	case "UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP":
	default:
		return true
	}
	d := dataAttributes{is: s.formats[0] == dataFormat, port: defaultPort, maxMessage: defaultMaxMessage}
	for _, a := range attributes {
		switch a.Key {
		case "sctp-port":
			port, err := strconv.ParseUint(a.Value, 10, 16)
			if err != nil {
				return false
			}
			d.port = uint16(port)
		case "sctpmap":
			f := strings.Fields(a.Value)
			if len(f) < 2 || f[0] != s.formats[0] || f[1] != dataFormat {
				continue
			}
			port, err := strconv.ParseUint(f[0], 10, 16)
			if err != nil {
				return false
			}
			d.is, d.old, d.port = true, true, uint16(port)
		case "max-message-size":
			size, err := strconv.ParseUint(a.Value, 10, 64)
			if err != nil {
				return false
			}
			// What does not fit an int32 is more than anybody sends in one message.
			d.maxMessage = int(min(size, 1<<31-1))
		case "sctp-init":
			// Malformed for who does not use it too, as in Chromium: so the mistake is seen by whoever is called first.
			chunk, err := base64.StdEncoding.DecodeString(a.Value)
			if err != nil || a.Value == "" {
				return false
			}
			d.sctpInit, d.chunk = a.Value, chunk
		}
	}
	if d.old {
		d.sctpInit, d.chunk = "", nil // that form is older than the attribute by many years
	}
	if d.is {
		s.data = d
	}
	return true
}

// maxCandidates bounds the remote candidates of a section and those added to a description.
const maxCandidates = 256

// validCandidate checks as much of the grammar of RFC 8839, section 5.1 as is needed to put the line, which has no control characters, into a
// description and to hand it to the ICE agent, which parses it.
func validCandidate(line string) bool {
	rest, ok := strings.CutPrefix(line, "candidate:")
	if !ok || len(line) > 1024 {
		return false
	}
	n := 0
	for f := range strings.FieldsSeq(rest) {
		var err error
		switch n {
		case 0:
			ok = len(f) <= 32
		case 1, 5: // component and port
			_, err = strconv.ParseUint(f, 10, 16)
		case 3: // priority
			_, err = strconv.ParseUint(f, 10, 32)
		case 6:
			ok = ok && f == "typ"
		}
		ok = ok && err == nil
		n++
	}
	return ok && n >= 8 && n%2 == 0
}

// candidateUfrag returns the value of the extension attribute "ufrag" of a valid candidate line, or "".
func candidateUfrag(line string) string {
	f := strings.Fields(line)
	for i := 8; i+1 < len(f); i += 2 {
		if f[i] == "ufrag" {
			return f[i+1]
		}
	}
	return ""
}
