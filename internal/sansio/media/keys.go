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

// Replay windows, in packets. A burst of lost video that is sent again comes a thousand packets late and more.
const (
	replaySRTP  = 4096
	replaySRTCP = 1024
)

// maxOverhead is the most that protection adds to a packet: a 16-byte tag, and SRTCP's index (RFC 7714 section 9.2).
const maxOverhead = 20

// SetKeys begins protection, or goes on with other keys. Before it nothing is sent and what comes is dropped.
func (m *Machine) SetKeys(k Keys) error {
	profile := srtp.ProtectionProfile(k.Profile)
	tx, err := srtp.CreateContext(k.LocalKey, k.LocalSalt, profile)
	if err != nil {
		return ErrProfile
	}
	rx, err := srtp.CreateContext(k.RemoteKey, k.RemoteSalt, profile, srtp.SRTPReplayProtection(replaySRTP), srtp.SRTCPReplayProtection(replaySRTCP))
	if err != nil {
		return ErrProfile
	}
	m.tx, m.rx = tx, rx
	return nil
}

// KeyLength is how many bytes of key and salt each direction has with the profile; false: it is not known.
func KeyLength(profile uint16) (key, salt int, ok bool) {
	p := srtp.ProtectionProfile(profile)
	key, err := p.KeyLen()
	salt, err2 := p.SaltLen()
	return key, salt, err == nil && err2 == nil
}
