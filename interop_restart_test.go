package rtc_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/internal/sansio/ice"
)

const pace = 100 * time.Millisecond

// flow sends numbered messages from both sides on a channel, at a steady pace, until stop is called. No number may be missing at the end.
func (m *meeting) flow(label string) (stop func()) {
	quit, done := make(chan struct{}), make(chan int, 2)
	for _, s := range m.sides() {
		go func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-tick.C:
					if err := s.ear.channel(label).SendText(strconv.Itoa(n)); err != nil {
						m.t.Errorf("%s sends number %d: %v", s.name, n, err)
					}
				case <-quit:
					done <- n
					return
				}
			}
		}()
	}
	return func() {
		m.t.Helper()
		close(quit)
		most := max(<-done, <-done)
		for _, s := range m.sides() {
			m.send(s.ear.channel(label), []webrtc.DataChannelMessage{{IsString: true, Data: []byte("end")}})
		}
		for _, s := range m.sides() {
			m.until("the end of the flow", func() bool {
				s.ear.mu.Lock()
				defer s.ear.mu.Unlock()
				got := s.ear.messages[label]
				return len(got) > 0 && string(got[len(got)-1].Data) == "end"
			})
			got := s.ear.received(label)
			if len(got) < most {
				m.t.Errorf("%s has %d messages, want about %d", s.name, len(got)-1, most)
			}
			for i, msg := range got[:len(got)-1] {
				if string(msg.Data) != strconv.Itoa(i) {
					m.t.Errorf("%s heard %q as number %d", s.name, msg.Data, i)
					break
				}
			}
		}
	}
}

// flows waits until d has passed and the flow has gone on in both directions to the end of it.
func (m *meeting) flows(label string, d time.Duration) {
	m.t.Helper()
	want := m.us.ear.count(label) + int(d/pace)
	for _, s := range m.sides() {
		m.until("the flow goes on", func() bool { return s.ear.count(label) >= want })
	}
}

var (
	ufragLine       = regexp.MustCompile(`a=ice-ufrag:(\S+)`)
	fingerprintLine = regexp.MustCompile(`a=fingerprint:\S+ [0-9A-Fa-f:]+`)
)

func ufrag(t testing.TB, d *webrtc.SessionDescription) string {
	t.Helper()
	found := ufragLine.FindStringSubmatch(d.SDP)
	if found == nil {
		t.Fatalf("no ice-ufrag in\n%s", d.SDP)
	}
	return found[1]
}

// An ICE restart by either side, while messages go both ways: none is lost, nobody hears of a connection that is not connected, and forty seconds
// later, after any consent of the generation before has ended, they still go.
func TestInteropICERestart(t *testing.T) {
	for _, offerer := range eitherSide {
		for _, restarter := range eitherSide {
			for _, trickle := range []bool{false, true} {
				inBubble(t, fmt.Sprintf("offerer=%s/restarter=%s/trickle=%v", offerer, restarter, trickle), func(t *testing.T) {
					m := meet(t, newVNet(t, lan, nil), terms{trickle: trickle})
					m.connect(m.side(offerer))
					stop := m.flow("first")
					m.flows("first", time.Second)
					for range 2 {
						var before []string
						for _, s := range m.sides() {
							before = append(before, ufrag(t, s.LocalDescription()))
						}
						m.negotiate(m.side(restarter), &webrtc.OfferOptions{ICERestart: true})
						for i, s := range m.sides() {
							if ufrag(t, s.LocalDescription()) == before[i] {
								t.Errorf("%s has the credentials of before", s.name)
							}
						}
						m.flows("first", 40*time.Second)
						m.wantSelected()
					}
					stop()
					m.wantNothingButConnected()
					m.understood()
				})
			}
		}
	}
}

// wantSelected holds that our route is the selected pair, and of the generation that was negotiated.
func (m *meeting) wantSelected() {
	m.t.Helper()
	r := rtc.ReportOf(m.ours).ICE
	remote := func(a netip.AddrPort) bool {
		return slices.ContainsFunc(r.Remote, func(c ice.Candidate) bool { return c.Addr == a })
	}
	for _, p := range r.Pairs {
		if p.Selected && p.Route && p.Nominated && remote(p.Remote.Addr) {
			return
		}
	}
	m.t.Errorf("no pair is selected, nominated and used: %+v", r)
}

// wantNothingButConnected holds that neither side has ever heard of trouble.
func (m *meeting) wantNothingButConnected() {
	m.t.Helper()
	for _, s := range m.sides() {
		s.ear.mu.Lock()
		for _, state := range s.ear.states {
			if state != webrtc.PeerConnectionStateConnecting && state != webrtc.PeerConnectionStateConnected {
				m.t.Errorf("%s heard states %v", s.name, s.ear.states)
				break
			}
		}
		s.ear.mu.Unlock()
	}
}

// RestartICE at our side asks for a negotiation, whose offer restarts.
func TestInteropRestartICE(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		m := meet(t, newVNet(t, lan, nil), terms{trickle: true})
		m.connect(m.pion)
		before := ufrag(t, m.us.LocalDescription())
		m.must(m.ours.RestartICE())
		m.negotiate(m.us, nil)
		if ufrag(t, m.us.LocalDescription()) == before {
			t.Error("the offer did not restart")
		}
		m.exchange("first", true)
		m.understood()
	})
}

// Negotiating again without a restart, by either side in turn, changes nothing: roles, credentials and the flow stay; new channels open.
func TestInteropReoffer(t *testing.T) {
	for _, offerer := range eitherSide {
		for _, role := range []webrtc.DTLSRole{webrtc.DTLSRoleClient, webrtc.DTLSRoleServer} {
			inBubble(t, fmt.Sprintf("offerer=%s/answerer=%v", offerer, role), func(t *testing.T) {
				m := meet(t, newVNet(t, lan, nil), terms{
					ours:   func(b rtc.Builder) rtc.Builder { return b.DTLS(rtc.DTLSOptions{AnsweringRole: role}) },
					theirs: func(e *webrtc.SettingEngine) { _ = e.SetAnsweringDTLSRole(role) },
				})
				m.connect(m.side(offerer))
				stop := m.flow("first")
				client, local, remote := rtc.ReportOf(m.ours).DTLSClient, ufrag(t, m.us.LocalDescription()), ufrag(t, m.us.RemoteDescription())
				for i, by := range []*side{m.us, m.pion, m.pion, m.us} {
					label := fmt.Sprint("new ", i)
					m.open(by, label, nil)
					m.negotiate(by, nil)
					m.opened(by, label)
					m.exchange(label, true)
				}
				m.flows("first", time.Second)
				stop()
				if rtc.ReportOf(m.ours).DTLSClient != client || ufrag(t, m.us.LocalDescription()) != local || ufrag(t, m.us.RemoteDescription()) != remote {
					t.Error("the transport was changed")
				}
				m.wantNothingButConnected()
				m.understood()
			})
		}
	}
}

// Both offer at the same time: we are the polite one, whose offer is rolled back by pion's. At first, and when connected; with an ICE restart of both,
// and with one of ours only, which then has never been.
func TestInteropGlare(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		m := meet(t, newVNet(t, lan, nil), terms{})
		for round, restart := range []struct{ ours, theirs bool }{{}, {}, {true, true}, {true, false}, {}} {
			ours, theirs := fmt.Sprint("ours ", round), fmt.Sprint("theirs ", round)
			m.open(m.us, ours, nil)
			m.open(m.pion, theirs, nil)
			before := ""
			if d := m.us.LocalDescription(); d != nil {
				before = ufrag(t, d)
			}
			offer, err := m.us.CreateOffer(&webrtc.OfferOptions{ICERestart: restart.ours})
			m.must(err)
			m.setLocal(m.us, offer)
			m.negotiate(m.pion, &webrtc.OfferOptions{ICERestart: restart.theirs})
			if got := m.us.SignalingState(); got != webrtc.SignalingStateStable {
				t.Fatalf("we are %v", got)
			}
			if got := ufrag(t, m.us.LocalDescription()) != before; round > 0 && got != restart.theirs {
				t.Errorf("round %d: our credentials have changed: %v", round, got)
			}
			for label, by := range map[string]*side{ours: m.us, theirs: m.pion} {
				m.opened(by, label)
				m.exchange(label, true)
			}
			m.wantSelected()
		}
		m.wantNothingButConnected()
		m.understood()
	})
}
