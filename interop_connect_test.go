package rtc_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
)

func ptr[T any](v T) *T { return &v }

// kinds are all the kinds of channels. id is for one that is made at both sides.
func kinds(id uint16) map[string]*webrtc.DataChannelInit {
	return map[string]*webrtc.DataChannelInit{
		"ordered":              nil,
		"unordered":            {Ordered: ptr(false)},
		"protocol":             {Protocol: ptr("chat.example")},
		"retransmits":          {MaxRetransmits: ptr(uint16(0))},
		"retransmitsUnordered": {MaxRetransmits: ptr(uint16(3)), Ordered: ptr(false)},
		"lifetime":             {MaxPacketLifeTime: ptr(uint16(2000))},
		"lifetimeUnordered":    {MaxPacketLifeTime: ptr(uint16(3000)), Ordered: ptr(false)},
		"negotiated":           {Negotiated: ptr(true), ID: &id},
	}
}

// openKinds makes a channel of each kind at one side, and those that need it at the other.
func (m *meeting) openKinds(by *side, id uint16) {
	m.t.Helper()
	for kind, init := range kinds(id) {
		label := kind + " by " + by.name
		m.open(by, label, init)
		if init != nil && init.Negotiated != nil {
			m.open(m.other(by), label, init)
		}
	}
}

// wantKinds holds that the channels of openKinds open, are the same at both sides, and carry messages both ways.
func (m *meeting) wantKinds(by *side, id uint16) {
	m.t.Helper()
	for kind, init := range kinds(id) {
		label := kind + " by " + by.name
		if init == nil {
			init = &webrtc.DataChannelInit{}
		}
		near, far := m.opened(by, label)
		for _, dc := range []channel{near, far} {
			want := fmt.Sprint(init.Ordered == nil || *init.Ordered, value(init.MaxRetransmits), value(init.MaxPacketLifeTime), value(init.Protocol), init.Negotiated != nil)
			if got := fmt.Sprint(dc.Ordered(), value(dc.MaxRetransmits()), value(dc.MaxPacketLifeTime()), dc.Protocol(), dc.Negotiated()); got != want {
				m.t.Errorf("%q is %s at a side, want %s", label, got, want)
			}
		}
		if near.ID() == nil || far.ID() == nil || *near.ID() != *far.ID() {
			m.t.Errorf("%q has ids %v and %v", label, value(near.ID()), value(far.ID()))
		}
		m.exchange(label, near.Ordered())
	}
}

func value[T any](p *T) any {
	if p == nil {
		return ""
	}
	return *p
}

// samples are messages of all forms and up to size bytes long.
func samples(size int) []webrtc.DataChannelMessage {
	return []webrtc.DataChannelMessage{
		{Data: []byte{0}},
		{Data: nil},
		{Data: nil, IsString: true},
		{Data: []byte("grüß dich"), IsString: true},
		{Data: bytes.Repeat([]byte("0123456789abcdef"), size/16)},
		{Data: bytes.Repeat([]byte("x"), size/2), IsString: true},
	}
}

// exchange sends all forms of messages both ways on an open channel.
func (m *meeting) exchange(label string, ordered bool) {
	m.t.Helper()
	want := samples(8 << 10)
	for _, s := range m.sides() {
		m.send(s.ear.channel(label), want)
	}
	for _, s := range m.sides() {
		m.wantMessages(s, label, want, ordered)
	}
}

func (m *meeting) send(dc channel, messages []webrtc.DataChannelMessage) {
	m.t.Helper()
	for _, msg := range messages {
		if msg.IsString {
			m.must(dc.SendText(string(msg.Data)))
		} else {
			m.must(dc.Send(msg.Data))
		}
	}
}

func (m *meeting) wantMessages(s *side, label string, want []webrtc.DataChannelMessage, ordered bool) {
	m.t.Helper()
	m.until(fmt.Sprintf("%d messages at %s on %q", len(want), s.name, label), func() bool { return s.ear.count(label) >= len(want) })
	got := s.ear.received(label)
	if !ordered {
		less := func(a, b webrtc.DataChannelMessage) int {
			return strings.Compare(fmt.Sprint(a.IsString, string(a.Data)), fmt.Sprint(b.IsString, string(b.Data)))
		}
		got, want = slices.SortedFunc(slices.Values(got), less), slices.SortedFunc(slices.Values(want), less)
	}
	if len(got) != len(want) {
		m.t.Fatalf("%s has %d messages on %q, want %d", s.name, len(got), label, len(want))
	}
	for i := range want {
		if got[i].IsString != want[i].IsString || !bytes.Equal(got[i].Data, want[i].Data) {
			m.t.Errorf("%q at %s: message %d is %d bytes (text %v), want %d (text %v)", label, s.name, i, len(got[i].Data), got[i].IsString, len(want[i].Data), want[i].IsString)
		}
	}
}

// allKinds connects a meeting and uses channels of all kinds: the offerer's made before, the answerer's after.
func (m *meeting) allKinds(offerer *side) {
	m.t.Helper()
	answerer := m.other(offerer)
	m.openKinds(offerer, 100)
	m.negotiate(offerer, nil)
	m.wantKinds(offerer, 100)
	m.openKinds(answerer, 201)
	m.wantKinds(answerer, 201)
	for _, s := range m.sides() {
		m.until(s.name+" heard that we are connected", func() bool { return s.ear.state() == webrtc.PeerConnectionStateConnected })
	}
	m.understood()
}

// Whoever offers, whoever is the DTLS client, with trickle and without, with pion's HelloVerifyRequest and without: channels of all kinds
// open from both sides and carry all forms of messages.
func TestInteropMatrix(t *testing.T) {
	for _, offerer := range eitherSide {
		for _, role := range []webrtc.DTLSRole{webrtc.DTLSRoleClient, webrtc.DTLSRoleServer} {
			for _, trickle := range []bool{false, true} {
				for _, verify := range []bool{false, true} {
					name := fmt.Sprintf("offerer=%s/answerer=%v/trickle=%v/verify=%v", offerer, role, trickle, verify)
					inBubble(t, name, func(t *testing.T) {
						m := meet(t, newVNet(t, 5*time.Millisecond, nil), terms{
							trickle: trickle,
							ours:    func(b rtc.Builder) rtc.Builder { return b.DTLS(rtc.DTLSOptions{AnsweringRole: role}) },
							theirs: func(e *webrtc.SettingEngine) {
								e.SetDTLSInsecureSkipHelloVerify(!verify)
								if err := e.SetAnsweringDTLSRole(role); err != nil {
									t.Fatal(err)
								}
							},
						})
						m.allKinds(m.side(offerer))
						weAreClient := (offerer == "we") == (role == webrtc.DTLSRoleServer)
						if got := rtc.ReportOf(m.ours).DTLSClient; got != weAreClient {
							t.Errorf("we are DTLS client: %v, want %v", got, weAreClient)
						}
					})
				}
			}
		}
	}
}

// pion as an ICE-lite server: we control, whoever offers.
func TestInteropLite(t *testing.T) {
	for _, offerer := range eitherSide {
		for _, trickle := range []bool{false, true} {
			inBubble(t, fmt.Sprintf("offerer=%s/trickle=%v", offerer, trickle), func(t *testing.T) {
				m := meet(t, newVNet(t, 5*time.Millisecond, nil), terms{
					trickle: trickle,
					theirs: func(e *webrtc.SettingEngine) {
						e.SetLite(true)
						e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
					},
				})
				m.allKinds(m.side(offerer))
				if !rtc.ReportOf(m.ours).ICE.Controlling {
					t.Error("we are controlled by a lite agent")
				}
			})
		}
	}
}
