package dtls

import (
	"errors"
	"fmt"
)

// Alert is an AlertDescription (RFC 5246 section 7.2).
type Alert uint8

// The alerts that we send or name.
const (
	AlertCloseNotify            Alert = 0
	AlertUnexpectedMessage      Alert = 10
	AlertBadRecordMAC           Alert = 20
	AlertHandshakeFailure       Alert = 40
	AlertBadCertificate         Alert = 42
	AlertUnsupportedCertificate Alert = 43
	AlertIllegalParameter       Alert = 47
	AlertDecodeError            Alert = 50
	AlertDecryptError           Alert = 51
	AlertProtocolVersion        Alert = 70
	AlertInsufficientSecurity   Alert = 71
	AlertInternalError          Alert = 80
	AlertUserCanceled           Alert = 90
	AlertNoRenegotiation        Alert = 100
	AlertMissingExtension       Alert = 109
	AlertUnsupportedExtension   Alert = 110
	AlertCertificateRequired    Alert = 116
)

var alertNames = [...]string{
	AlertCloseNotify:            "close_notify",
	AlertUnexpectedMessage:      "unexpected_message",
	AlertBadRecordMAC:           "bad_record_mac",
	AlertHandshakeFailure:       "handshake_failure",
	AlertBadCertificate:         "bad_certificate",
	AlertUnsupportedCertificate: "unsupported_certificate",
	AlertIllegalParameter:       "illegal_parameter",
	AlertDecodeError:            "decode_error",
	AlertDecryptError:           "decrypt_error",
	AlertProtocolVersion:        "protocol_version",
	AlertInsufficientSecurity:   "insufficient_security",
	AlertInternalError:          "internal_error",
	AlertUserCanceled:           "user_canceled",
	AlertNoRenegotiation:        "no_renegotiation",
	AlertMissingExtension:       "missing_extension",
	AlertUnsupportedExtension:   "unsupported_extension",
	AlertCertificateRequired:    "certificate_required",
}

func (a Alert) String() string {
	if int(a) < len(alertNames) && alertNames[a] != "" {
		return alertNames[a]
	}
	return fmt.Sprintf("alert %d", uint8(a))
}

const (
	alertWarning = 1
	alertFatal   = 2
	alertLen     = 2
)

// AlertError is the end of a connection by an authenticated fatal alert of the peer.
type AlertError struct{ Alert Alert }

func (e *AlertError) Error() string { return "dtls: peer sent " + e.Alert.String() }

// HandshakeError is the end of a handshake by something that the peer did, or could not do. Alert is what it was told.
type HandshakeError struct {
	Alert Alert
	Err   error
}

func (e *HandshakeError) Error() string { return fmt.Sprintf("%v (%v)", e.Err, e.Alert) }
func (e *HandshakeError) Unwrap() error { return e.Err }

// TimeoutError is the end of a handshake that did not complete in time.
type TimeoutError struct {
	// Refused is why the last complete handshake message was not accepted, if one was not and nothing better came.
	Refused error
	// Alert is the last alert that came without authentication, which may have been anybody's; meaningful if HasAlert.
	Alert    Alert
	HasAlert bool
}

func (e *TimeoutError) Error() string {
	s := "dtls: handshake timed out"
	if e.Refused != nil {
		s += "; refused: " + e.Refused.Error()
	}
	if e.HasAlert {
		s += "; somebody sent " + e.Alert.String()
	}
	return s
}
func (e *TimeoutError) Unwrap() error { return e.Refused }

// Timeout makes TimeoutError known to those who ask net.Error's question.
func (e *TimeoutError) Timeout() bool { return true }

// Errors within a HandshakeError or TimeoutError, and those of ExportKeyingMaterial.
var (
	ErrNoExtendedMasterSecret = errors.New("dtls: peer does not do extended_master_secret")
	ErrVersion                = errors.New("dtls: peer does no version of DTLS that we do")
	ErrDowngrade              = errors.New("dtls: server does DTLS 1.3, but was made to choose 1.2")
	ErrNothingInCommon        = errors.New("dtls: no cipher suite, group and signature scheme in common")
	ErrNoCertificate          = errors.New("dtls: peer has no certificate, or wants none of ours")
	ErrRenegotiation          = errors.New("dtls: peer wants to renegotiate")
	ErrNotConnected           = errors.New("dtls: not connected")
	ErrReservedLabel          = errors.New("dtls: exporter label is reserved")
	ErrSequenceExhausted      = errors.New("dtls: all record sequence numbers are used")
	ErrForged                 = errors.New("dtls: as many records were forged as a key can bear")
)

var errRandomness = errors.New("dtls: Config.Rand gives no randomness")

// refuse makes the error with which a message is not accepted.
func refuse(alert Alert, err error) *HandshakeError { return &HandshakeError{alert, err} }

func refusef(alert Alert, format string, args ...any) *HandshakeError {
	return &HandshakeError{alert, fmt.Errorf("dtls: "+format, args...)}
}
