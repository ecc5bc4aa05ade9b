package rtc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	dtlselliptic "github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/transport/v4/vnet"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
)

// What pion can be set to, and we don't offer or take as it comes, is no obstacle in either DTLS role.
func TestInteropOptions(t *testing.T) {
	for name, set := range map[string]func(*webrtc.SettingEngine){
		"zero checksum":            func(e *webrtc.SettingEngine) { e.EnableSCTPZeroChecksum(true) },
		"SNAP":                     func(e *webrtc.SettingEngine) { e.EnableSctpSnap(true) },
		"zero checksum and SNAP":   func(e *webrtc.SettingEngine) { e.EnableSCTPZeroChecksum(true); e.EnableSctpSnap(true) },
		"small receive buffer":     func(e *webrtc.SettingEngine) { e.SetSCTPMaxReceiveBufferSize(64 << 10) },
		"large window":             func(e *webrtc.SettingEngine) { e.SetSCTPMinCwnd(1 << 20); e.SetSCTPRTOMax(time.Second) },
		"media-level fingerprints": func(e *webrtc.SettingEngine) { e.SetSDPMediaLevelFingerprints(true) },
		"ALPN":                     func(e *webrtc.SettingEngine) { e.SetDTLSSupportedProtocols("webrtc", "c-webrtc") },
		"extended master secret":   func(e *webrtc.SettingEngine) { e.SetDTLSExtendedMasterSecret(dtls.RequireExtendedMasterSecret) },
		"P-256":                    func(e *webrtc.SettingEngine) { e.SetDTLSEllipticCurves(dtlselliptic.P256) },
		"P-384":                    func(e *webrtc.SettingEngine) { e.SetDTLSEllipticCurves(dtlselliptic.P384) },
		"X25519":                   func(e *webrtc.SettingEngine) { e.SetDTLSEllipticCurves(dtlselliptic.X25519) },
		"AES-256": func(e *webrtc.SettingEngine) {
			e.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384)
		},
		"ChaCha20": func(e *webrtc.SettingEngine) {
			e.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)
		},
		"renomination":         func(e *webrtc.SettingEngine) { _ = e.SetICERenomination() },
		"candidate's priority": func(e *webrtc.SettingEngine) { e.SetICEUseCandidateCheckPriority(true) },
		"UDP only":             func(e *webrtc.SettingEngine) { e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4}) },
	} {
		for _, offerer := range eitherSide {
			inBubble(t, name+"/offerer="+offerer, func(t *testing.T) {
				m := meet(t, newVNet(t, lan, nil), terms{theirs: set})
				m.allKinds(m.side(offerer))
			})
		}
	}
}

// Where both sides have SNAP and only there, both descriptions have an INIT chunk and no time is spent on SCTP's handshake.
func TestInteropSNAP(t *testing.T) {
	for _, c := range []struct{ ours, theirs bool }{{true, true}, {true, false}, {false, true}} {
		for _, offerer := range eitherSide {
			inBubble(t, fmt.Sprintf("we=%v/pion=%v/offerer=%s", c.ours, c.theirs, offerer), func(t *testing.T) {
				m := meet(t, newVNet(t, lan, nil), terms{
					ours:   func(b rtc.Builder) rtc.Builder { return b.SCTP(rtc.SCTPOptions{DisableSNAP: !c.ours}) },
					theirs: func(e *webrtc.SettingEngine) { e.EnableSctpSnap(c.theirs); e.EnableSCTPZeroChecksum(true) },
				})
				by := m.side(offerer)
				m.open(by, "first", nil)
				m.negotiate(by, nil)
				start := time.Now()
				m.opened(by, "first")
				took := time.Since(start)
				m.exchange("first", true)
				m.openKinds(m.other(by), 201)
				m.wantKinds(m.other(by), 201)
				m.understood()
				has := func(s *side) bool { return strings.Contains(s.CurrentLocalDescription().SDP, "\r\na=sctp-init:") }
				both := c.ours && c.theirs
				if limit := map[string]time.Duration{"we": 6 * lan, "pion": 10 * lan}[offerer]; took <= limit != both {
					t.Errorf("open after %v", took)
				}
				if want := both || c.ours && offerer == m.us.name; has(m.us) != want {
					t.Errorf("a=sctp-init of ours is %v", !want)
				}
				if want := both || c.theirs && offerer == m.pion.name; has(m.pion) != want {
					t.Errorf("a=sctp-init of pion's is %v", !want)
				}
			})
		}
	}
}

// Certificates of pion's with all kinds of keys are verified by their fingerprint, and ours by pion, in either DTLS role.
func TestInteropCertificates(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]crypto.PrivateKey{"RSA": rsaKey, "P-256": p256, "P-384": p384}
	for name, key := range keys {
		for _, whose := range eitherSide {
			for _, offerer := range eitherSide {
				inBubble(t, fmt.Sprintf("%s of %s/offerer=%s", name, whose, offerer), func(t *testing.T) {
					certificate, err := webrtc.GenerateCertificate(key)
					if err != nil {
						t.Fatal(err)
					}
					on := terms{config: webrtc.Configuration{Certificates: []webrtc.Certificate{*certificate}}}
					if whose == "we" {
						on = terms{ours: func(b rtc.Builder) rtc.Builder { return b.Certificates(*certificate) }}
					}
					m := meet(t, newVNet(t, lan, nil), on)
					m.connect(m.side(offerer))
					m.exchange("first", true)
					m.understood()
				})
			}
		}
	}
}

// A peer with another certificate than the one whose fingerprint was signaled gets no channel, and we hear that the connection has failed.
func TestInteropForeignFingerprint(t *testing.T) {
	for _, offerer := range eitherSide {
		inBubble(t, "offerer="+offerer, func(t *testing.T) {
			m := meet(t, newVNet(t, lan, nil), terms{})
			by := m.side(offerer)
			m.open(by, "first", nil)
			offer, err := by.CreateOffer(nil)
			m.must(err)
			offer = m.setLocal(by, offer)
			if by == m.pion {
				offer.SDP = foreignFingerprint(offer.SDP)
			}
			m.must(m.other(by).SetRemoteDescription(offer))
			answer, err := m.other(by).CreateAnswer(nil)
			m.must(err)
			answer = m.setLocal(m.other(by), answer)
			if by == m.us {
				answer.SDP = foreignFingerprint(answer.SDP)
			}
			m.must(by.SetRemoteDescription(answer))
			m.until("we hear the failure", func() bool { return m.us.ear.state() == webrtc.PeerConnectionStateFailed })
			if m.us.ear.channel("first") != nil || m.pion.ear.channel("first") != nil {
				t.Error("the channel has opened")
			}
		})
	}
}

// foreignFingerprint changes the first byte of all fingerprints.
func foreignFingerprint(sdp string) string {
	return fingerprintLine.ReplaceAllStringFunc(sdp, func(line string) string {
		if line[len(line)-2:] == "00" {
			return line[:len(line)-2] + "01"
		}
		return line[:len(line)-2] + "00"
	})
}

// pion offers media beside the channels: we reject it, and the channels work.
func TestInteropMediaIsRejected(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		m := meet(t, newVNet(t, lan, nil), terms{trickle: true})
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			_, err := m.theirs.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
			m.must(err)
		}
		m.allKinds(m.pion)
	})
}

// With a tenth of the packets lost and pion's DTLS timer of a second, connections are made and carry all that is reliable.
func TestInteropLoss(t *testing.T) {
	seeds := 30
	if underRace {
		seeds = 5
	}
	for seed := range seeds {
		for _, offerer := range eitherSide {
			inBubble(t, fmt.Sprintf("seed=%d/offerer=%s", seed, offerer), func(t *testing.T) {
				rng := mathrand.New(mathrand.NewPCG(uint64(seed), 1))
				lossy := func(vnet.Chunk) bool { return rng.IntN(10) > 0 } // called by the router's goroutine only
				m := meet(t, newVNet(t, 30*time.Millisecond, lossy), terms{trickle: seed%2 == 0})
				start := time.Now()
				m.connect(m.side(offerer))
				if took := time.Since(start); took > 20*time.Second {
					t.Errorf("connected after %v", took)
				}
				want := samples(100 << 10)
				for _, s := range m.sides() {
					m.send(s.ear.channel("first"), want)
				}
				for _, s := range m.sides() {
					m.wantMessages(s, "first", want, true)
				}
			})
		}
	}
}
