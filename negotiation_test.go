package rtc_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// chat sends numbered messages on a channel from both ends, and holds that all arrive in order.
type chat struct {
	p    *pair
	sent [2]int
	got  [2]int
	gap  [2]time.Duration // the longest silence at each end
	last [2]time.Time
	done bool
}

// chats starts a chat on a channel that is open at both ends.
func (p *pair) chats(a, b *rtc.DataChannel) *chat {
	c := &chat{p: p, last: [2]time.Time{p.now(), p.now()}}
	for i, dc := range []*rtc.DataChannel{a, b} {
		p.rec[i].on = func(kind string, _ *rtc.PeerConnection, on *rtc.DataChannel, msg rtc.DataChannelMessage) {
			if kind != "message" || on != dc {
				return
			}
			if string(msg.Data) != fmt.Sprint(c.got[i]) {
				p.t.Errorf("%s got %q, want %d", p.rec[i].name, msg.Data, c.got[i])
			}
			c.got[i]++
			c.gap[i] = max(c.gap[i], p.now().Sub(c.last[i]))
			c.last[i] = p.now()
		}
		p.act("chat", func() {
			for !c.done {
				if err := dc.SendText(fmt.Sprint(c.sent[i])); err != nil {
					p.t.Errorf("%s: %v", p.rec[i].name, err)
					return
				}
				c.sent[i]++
				p.sleep(50 * time.Millisecond)
			}
		})
	}
	return c
}

// end stops the chat and waits for what was sent.
func (c *chat) end() {
	c.p.t.Helper()
	c.p.until("enough is said", func() bool { return c.sent[0] >= 10 && c.sent[1] >= 10 })
	c.done = true
	c.p.until("all that was said is heard", func() bool { return c.sent[0] == c.got[1] && c.sent[1] == c.got[0] })
}

// Candidates one by one, each some time after the description, are enough; and so is a description that waited for them.
func TestTrickle(t *testing.T) { everywhere(t, testTrickle) }

func testTrickle(t *testing.T, w *world) {
	for _, trickle := range []bool{true, false} {
		for _, delay := range []time.Duration{0, 100 * time.Millisecond, 3 * time.Second} {
			t.Run(fmt.Sprint("trickle=", trickle, "/", delay), func(t *testing.T) {
				p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
				told, added := [2]int{}, 0
				if trickle {
					for i, r := range p.rec {
						r.signal = func(c *rtc.ICECandidate) {
							told[i]++
							var init rtc.ICECandidateInit // the end
							if c != nil {
								init = c.ToJSON()
							}
							p.after(delay*time.Duration(told[i]), func() {
								added++
								if err := p.pc[1-i].AddICECandidate(init); err != nil {
									t.Error(err)
								}
							})
						}
					}
				}
				offer := offerOf(t, p.pc[0])
				p.must(p.pc[0].SetLocalDescription(offer))
				if !trickle {
					<-p.pc[0].GatheringComplete()
					offer = *p.pc[0].LocalDescription()
				}
				p.must(p.pc[1].SetRemoteDescription(offer))
				answer, err := p.pc[1].CreateAnswer(nil)
				p.must(err)
				p.must(p.pc[1].SetLocalDescription(answer))
				if !trickle {
					<-p.pc[1].GatheringComplete()
					answer = *p.pc[1].LocalDescription()
				}
				if trickle == strings.Contains(offer.SDP+answer.SDP, "a=candidate") {
					t.Error("descriptions as they were created have candidates, or those of later lack them")
				}
				p.must(p.pc[0].SetRemoteDescription(answer))
				p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
				p.until("the last candidate", func() bool { return !trickle || added == 2*w.candidates()+2 })
				p.pass(time.Minute)
				for i, pc := range p.pc {
					if trickle && told[i] != w.candidates()+1 {
						t.Errorf("%s told %d candidates, want %d and the end", p.rec[i].name, told[i], w.candidates())
					}
					if sdp := pc.RemoteDescription().SDP; strings.Count(sdp, "a=candidate") != w.candidates() || !strings.Contains(sdp, "a=end-of-candidates") {
						t.Errorf("the remote description is\n%s", sdp)
					}
					if s := pc.ICEConnectionState(); s != rtc.ICEConnectionStateConnected && s != rtc.ICEConnectionStateCompleted {
						t.Errorf("%s is %v", p.rec[i].name, s)
					}
				}
			})
		}
	}
}

// negotiator is the loop of perfect negotiation, from W3C's example, over a signaling channel that takes its time and keeps the order.
// https://w3c.github.io/webrtc-pc/#perfect-negotiation-example
type negotiator struct {
	rtc.BaseHandler
	p       *pair
	rec     *recorder
	pc      *rtc.PeerConnection
	peer    *negotiator
	polite  bool
	trickle bool
	ignored bool
	rng     *rand.Rand
	arrives time.Time // what was sent last
	glares  int
}

func (n *negotiator) send(f func(to *negotiator)) {
	at := n.p.now().Add(time.Duration(n.rng.Int64N(int64(300 * time.Millisecond))))
	if at.Before(n.arrives) {
		at = n.arrives
	}
	n.arrives = at
	n.p.after(at.Sub(n.p.now()), func() { f(n.peer) })
}

func (n *negotiator) must(what string, err error) {
	if err != nil && !n.p.over {
		n.p.t.Errorf("%s, %v: %s: %v", n.rec.name, n.pc.SignalingState(), what, err)
	}
}

func (n *negotiator) sendDescription() {
	d := *n.pc.LocalDescription()
	if n.trickle {
		d.SDP = without(without(d.SDP, "a=candidate"), "a=end-of-candidates")
	}
	n.send(func(to *negotiator) { to.description(d) })
}

func (n *negotiator) OnNegotiationNeeded(pc *rtc.PeerConnection) {
	n.p.floor.take()
	defer n.p.floor.give()
	n.must("offer", pc.SetLocalDescription(rtc.SessionDescription{}))
	n.sendDescription()
}

func (n *negotiator) OnICECandidate(_ *rtc.PeerConnection, c *rtc.ICECandidate) {
	n.p.floor.take()
	defer n.p.floor.give()
	if c != nil && c.UsernameFragment != attribute(n.pc.LocalDescription(), "ice-ufrag") && n.p.world == nil {
		return // while the handler waited for the floor its offer was rolled back
	}
	var init rtc.ICECandidateInit
	if c != nil {
		init = c.ToJSON()
	}
	n.send(func(to *negotiator) { to.candidate(init) })
}

func (n *negotiator) description(d rtc.SessionDescription) {
	collision := d.Type == rtc.SDPTypeOffer && n.pc.SignalingState() != rtc.SignalingStateStable
	if collision {
		n.glares++
	}
	if n.ignored = collision && !n.polite; n.ignored {
		return
	}
	n.must("remote "+d.Type.String(), n.pc.SetRemoteDescription(d))
	if d.Type == rtc.SDPTypeOffer {
		n.must("answer", n.pc.SetLocalDescription(rtc.SessionDescription{}))
		n.sendDescription()
	}
}

func (n *negotiator) candidate(c rtc.ICECandidateInit) {
	if err := n.pc.AddICECandidate(c); err != nil && !n.ignored {
		n.must("candidate", err)
	}
}

// Perfect negotiation: both sides make channels, restart ICE and offer whenever they want, over a signaling channel that is slow; nothing ever
// fails, and in the end both are stable, connected, and want no more, with all channels open.
func TestPerfectNegotiation(t *testing.T) { everywhere(t, testPerfectNegotiation) }

func testPerfectNegotiation(t *testing.T, w *world) {
	seeds := 300
	if testing.Short() {
		seeds = 50
	}
	seeds = w.some(seeds)
	glares := 0
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var n [2]*negotiator
			p := w.newPair(t, sim.Config{Seed: seed, Handoff: -1, Link: sim.Link{Delay: 20 * time.Millisecond, Loss: 0.03}}, func(i int, b rtc.Builder) rtc.Builder {
				n[i] = &negotiator{polite: i == 0, rng: rng, trickle: seed%2 == 0}
				return b
			})
			for i := range n {
				p.pc[i].Close()
				p.rec[i] = &recorder{name: p.rec[i].name, floor: p.floor}
				n[i].p, n[i].rec, n[i].peer = p, p.rec[i], n[1-i]
				h := rtc.Handlers(p.rec[i], n[i])
				pc, err := w.builder(p.rt[i]).Handler(h).DTLS(rtc.DTLSOptions{AnsweringRole: rtc.DTLSRole(1 + rng.IntN(2))}).Build(t.Context())
				p.must(err)
				p.pc[i], n[i].pc = pc, pc
			}
			made := 0
			acts := 2 + rng.IntN(6)
			for range acts {
				i := rng.IntN(2)
				p.after(time.Duration(rng.Int64N(int64(3*time.Second))), func() {
					acts--
					if made == 0 || rng.IntN(2) == 0 {
						made++
						_, err := p.pc[i].CreateDataChannel("data", nil)
						n[i].must("CreateDataChannel", err)
						if rng.IntN(3) == 0 { // and so does the other, before it can know
							made++
							_, err := p.pc[1-i].CreateDataChannel("data", nil)
							n[1-i].must("CreateDataChannel", err)
						}
					} else {
						n[i].must("RestartICE", p.pc[i].RestartICE())
					}
				})
			}
			p.pass(4 * time.Second)
			p.until("channels open", func() bool {
				return acts == 0 && p.rec[0].count("open data") == made && p.rec[1].count("open data") == made
			})
			p.pass(10 * time.Second)
			p.until("both are at rest", func() bool {
				return p.pc[0].SignalingState() == rtc.SignalingStateStable && p.pc[1].SignalingState() == rtc.SignalingStateStable &&
					attribute(p.pc[0].CurrentLocalDescription(), "ice-ufrag") == attribute(p.pc[1].CurrentRemoteDescription(), "ice-ufrag") &&
					attribute(p.pc[1].CurrentLocalDescription(), "ice-ufrag") == attribute(p.pc[0].CurrentRemoteDescription(), "ice-ufrag") &&
					len(p.later) == 0
			})
			a, b := p.rec[0].channel(0), p.rec[1].channel(slices.IndexFunc(p.rec[1].channels, func(dc *rtc.DataChannel) bool {
				return *dc.ID() == *p.rec[0].channel(0).ID()
			}))
			p.must(a.SendText("hello"))
			p.must(b.SendText("hello"))
			p.until("messages", func() bool { return p.rec[0].received() == 1 && p.rec[1].received() == 1 })
			for i, pc := range p.pc {
				if pc.SignalingState() != rtc.SignalingStateStable || p.rec[i].state() != rtc.PeerConnectionStateConnected {
					t.Errorf("%s is %v and %v", p.rec[i].name, pc.SignalingState(), p.rec[i].state())
				}
				if p.rec[i].has("connection failed") || p.rec[i].has("connection disconnected") {
					t.Errorf("%s heard %q", p.rec[i].name, p.rec[i].heard())
				}
				glares += n[i].glares
			}
			// Both mean the same generation.
			for i := range p.pc {
				if l, r := attribute(p.pc[i].CurrentLocalDescription(), "ice-ufrag"), attribute(p.pc[1-i].CurrentRemoteDescription(), "ice-ufrag"); l != r {
					t.Errorf("%s has the ufrag %q, its peer thinks %q", p.rec[i].name, l, r)
				}
			}
		})
	}
	t.Logf("%d offers met", glares)
	if glares < seeds/20 {
		t.Error("hardly any offers met: the test tests nothing")
	}
}

// attribute is the value of an attribute's first line.
func attribute(d *rtc.SessionDescription, name string) string {
	if d == nil {
		return ""
	}
	_, rest, _ := strings.Cut(d.SDP, "a="+name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// Both offer at the same instant, the impolite one ignores what it gets: in every order of arrival both end up connected.
func TestBothOfferAtOnce(t *testing.T) { everywhere(t, testBothOfferAtOnce) }

func testBothOfferAtOnce(t *testing.T, w *world) {
	for _, first := range []int{0, 1} {
		p := w.newPair(t, sim.Config{}, nil)
		offers := [2]rtc.SessionDescription{p.offer(0), p.offer(1)}
		polite, impolite := p.pc[first], p.pc[1-first]
		p.must(polite.SetRemoteDescription(offers[1-first]))
		p.must(polite.SetLocalDescription(rtc.SessionDescription{}))
		p.must(impolite.SetRemoteDescription(*polite.LocalDescription()))
		p.until("both channels", func() bool { return p.rec[0].count("open data") == 2 && p.rec[1].count("open data") == 2 })
		if w.simulated() && (p.rec[0].has("negotiationneeded") || p.rec[1].has("negotiationneeded")) { // no time has passed before the offers
			t.Error("one negotiation was not enough")
		}
	}
}

// An offer that is rolled back, by its maker or its receiver, leaves nothing behind: the next negotiation connects, whoever offers.
func TestExplicitRollback(t *testing.T) { everywhere(t, testExplicitRollback) }

func testExplicitRollback(t *testing.T, w *world) {
	rollback := rtc.SessionDescription{Type: rtc.SDPTypeRollback}
	for _, next := range []int{0, 1} {
		for _, whose := range []string{"local", "both"} {
			t.Run(fmt.Sprint(whose, "/next=", next), func(t *testing.T) {
				p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
				old := p.offer(0)
				p.pass(time.Second)
				if whose == "both" {
					p.must(p.pc[1].SetRemoteDescription(old))
					p.must(p.pc[1].SetRemoteDescription(rollback))
					if s := p.pc[1].SignalingState(); s != rtc.SignalingStateStable || p.pc[1].RemoteDescription() != nil {
						t.Errorf("b is %v", s)
					}
				}
				p.must(p.pc[0].SetLocalDescription(rollback))
				if s := p.pc[0].SignalingState(); s != rtc.SignalingStateStable || p.pc[0].LocalDescription() != nil {
					t.Errorf("a is %v", s)
				}
				if s := p.pc[0].ICEGatheringState(); s != rtc.ICEGatheringStateNew {
					t.Errorf("the gathering state is %v", s)
				}
				p.until("a hears of it", func() bool { return p.rec[0].has("negotiationneeded") && p.rec[0].has("gathering new") })
				if next == 1 {
					_, err := p.pc[1].CreateDataChannel("more", nil)
					p.must(err)
				}
				p.negotiate(next)
				p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
			})
		}
	}
}

// candidateIDs are the stats' ids of the candidates of both sides.
func candidateIDs(pc *rtc.PeerConnection) (ids []string) {
	for _, c := range statsOf[webrtc.ICECandidateStats](pc) {
		ids = append(ids, c.ID)
	}
	return ids
}

// route is the selected pair.
func route(pc *rtc.PeerConnection) string {
	for _, p := range rtc.ReportOf(pc).ICE.Pairs {
		if p.Selected {
			return fmt.Sprint(p.Local.Addr, " ", p.Remote.Addr)
		}
	}
	return ""
}

// wantUndisturbed holds that nobody heard of trouble, and that data is not held up.
func wantUndisturbed(t testing.TB, p *pair, c *chat) {
	t.Helper()
	for i, r := range p.rec {
		if r.has("connection disconnected") || r.has("connection failed") {
			t.Errorf("%s heard %q", r.name, r.heard())
		}
		if c.gap[i] > 200*time.Millisecond && p.world != nil {
			t.Errorf("%s heard nothing for %v", r.name, c.gap[i])
		}
	}
}

// An ICE restart by either side, again and again, disturbs nothing: nothing is lost, and the credentials are new each time.
func TestRestartAgainAndAgain(t *testing.T) { everywhere(t, testRestartAgainAndAgain) }

func testRestartAgainAndAgain(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, nil)
	c := p.chats(a, b)
	seen := map[string]bool{}
	for n := range 6 {
		seen[attribute(p.pc[0].LocalDescription(), "ice-ufrag")] = true
		p.must(p.pc[n%2].RestartICE())
		p.negotiate(n % 2)
		said := c.sent
		p.until("what is said behind the restart", func() bool { return c.got[0] > said[1] && c.got[1] > said[0] })
		p.until("the route of now", func() bool { return route(p.pc[0]) != "" && route(p.pc[1]) != "" })
	}
	if len(seen) != 6 {
		t.Errorf("%d different fragments in 6 generations", len(seen))
	}
	wantUndisturbed(t, p, c)
	c.end()
}

// Negotiating again, by either side, adds nothing and disturbs nothing: the credentials, the sections, the gathering, the route and the DTLS
// association stay, and only the version counts on.
func TestReoffer(t *testing.T) { everywhere(t, testReoffer) }

func testReoffer(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, nil)
	c := p.chats(a, b)
	p.pass(time.Second)
	p.until("completed", func() bool { return p.rec[0].has("ice completed") && p.rec[1].has("ice completed") })
	type facts struct {
		ufrag, route string
		sections     int
		handshake    uint64
	}
	look := func(i int) facts {
		return facts{attribute(p.pc[i].LocalDescription(), "ice-ufrag"), route(p.pc[i]), strings.Count(p.pc[i].LocalDescription().SDP, "m="),
			uint64(len(rtc.ReportOf(p.pc[i]).PeerCertificates))}
	}
	before := [2]facts{look(0), look(1)}
	heard := [2]int{len(p.rec[0].heard()), len(p.rec[1].heard())}
	versions := map[string]bool{}
	for round := range 10 {
		p.negotiate(round % 2)
		_, rest, _ := strings.Cut(p.pc[0].LocalDescription().SDP, "o=")
		origin, _, _ := strings.Cut(rest, "\r\n")
		versions[origin] = true
		p.pass(time.Second)
		if after := [2]facts{look(0), look(1)}; after != before {
			t.Fatalf("after round %d: %+v, want %+v", round, after, before)
		}
	}
	if len(versions) < 5 {
		t.Errorf("the origins are %v", versions)
	}
	for i, r := range p.rec {
		for _, l := range r.heard()[heard[i]:] {
			if !strings.HasPrefix(l, "message") && !strings.HasPrefix(l, "signaling") && l != "low data" {
				t.Errorf("%s heard %q", r.name, l)
			}
		}
	}
	wantUndisturbed(t, p, c)
	c.end()
}

// A provisional answer is enough to connect and to talk; the final one changes nothing of that.
func TestPranswer(t *testing.T) { everywhere(t, testPranswer) }

func testPranswer(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	p.offered(1)
	p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{Type: rtc.SDPTypePranswer}))
	d := *p.pc[1].LocalDescription()
	if d.Type != rtc.SDPTypePranswer {
		t.Fatalf("the description is a %v", d.Type)
	}
	p.must(p.pc[0].SetRemoteDescription(d))
	p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
	c := p.chats(p.rec[0].channel(0), p.rec[1].channel(0))
	p.pass(time.Second)
	p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{Type: rtc.SDPTypeAnswer}))
	p.must(p.pc[0].SetRemoteDescription(*p.pc[1].LocalDescription()))
	p.pass(time.Minute)
	wantUndisturbed(t, p, c)
	c.end()
	for i, want := range [][]string{
		{"signaling have-local-offer", "signaling have-remote-pranswer", "signaling stable"},
		{"signaling have-remote-offer", "signaling have-local-pranswer", "signaling stable"},
	} {
		got := slices.DeleteFunc(p.rec[i].heard(), func(l string) bool { return !strings.HasPrefix(l, "signaling") })
		if !slices.Equal(got, want) {
			t.Errorf("%s heard %q, want %q", p.rec[i].name, got, want)
		}
	}
}

// AnsweringRole chooses a=setup of an answer, and the roles hold in later negotiations whoever offers. By default it is the server's with SPED on both
// sides, which the descriptions say, and else the client's.
func TestAnsweringRole(t *testing.T) { everywhere(t, testAnsweringRole) }

func testAnsweringRole(t *testing.T, w *world) {
	for _, c := range []struct {
		role           rtc.DTLSRole
		without        int // the side that has no SPED; -1: both have
		setup          string
		offers, answer string // a=ice-options
	}{
		{rtc.DTLSRoleAuto, -1, "passive", "trickle sped googspedv1", "trickle sped googspedv1"},
		{rtc.DTLSRoleAuto, 0, "active", "trickle", "trickle"},
		{rtc.DTLSRoleAuto, 1, "active", "trickle sped googspedv1", "trickle"},
		{rtc.DTLSRoleClient, -1, "active", "trickle sped googspedv1", "trickle sped googspedv1"},
		{rtc.DTLSRoleServer, 1, "passive", "trickle sped googspedv1", "trickle"},
	} {
		setup := c.setup
		t.Run(fmt.Sprint(c.role, " ", c.without), func(t *testing.T) {
			p, _, _ := w.connected(t, sim.Config{}, nil, func(i int, b rtc.Builder) rtc.Builder {
				return b.DTLS(rtc.DTLSOptions{AnsweringRole: c.role}).ICE(rtc.ICEOptions{DisableSPED: i == c.without})
			})
			if o, a := attribute(p.pc[0].LocalDescription(), "ice-options"), attribute(p.pc[1].LocalDescription(), "ice-options"); o != c.offers || a != c.answer {
				t.Errorf("the options are offered as %q, answered as %q", o, a)
			}
			if o, a := attribute(p.pc[0].LocalDescription(), "setup"), attribute(p.pc[1].LocalDescription(), "setup"); o != "actpass" || a != setup {
				t.Errorf("the offer says %q, the answer %q", o, a)
			}
			p.negotiate(1)
			other := map[string]string{"active": "passive", "passive": "active"}[setup]
			if a := attribute(p.pc[0].LocalDescription(), "setup"); a != other {
				t.Errorf("a answers later with %q, want %q", a, other)
			}
			p.must(p.rec[1].channel(0).SendText("still"))
			p.until("a message", func() bool { return p.rec[0].received() == 1 })
		})
	}
}

// The answerer may make channels too, at any time, and needs no negotiation for it.
func TestAnswererMakesChannels(t *testing.T) { everywhere(t, testAnswererMakesChannels) }

func testAnswererMakesChannels(t *testing.T, w *world) {
	for _, when := range []string{"before", "answering", "later"} {
		t.Run(when, func(t *testing.T) {
			p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
			create := func(now string) {
				if now == when {
					_, err := p.pc[1].CreateDataChannel("theirs", nil)
					p.must(err)
				}
			}
			create("before")
			p.offered(1)
			create("answering")
			p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{}))
			p.must(p.pc[0].SetRemoteDescription(*p.pc[1].LocalDescription()))
			p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
			create("later")
			p.until("open", func() bool { return p.rec[0].has("open theirs") && p.rec[1].has("open theirs") })
			if p.rec[1].has("negotiationneeded") && (w.simulated() || when != "before") || !p.rec[0].has("channel theirs") {
				t.Errorf("b heard %q", p.rec[1].heard())
			}
		})
	}
}

// AlwaysNegotiateDataChannels negotiates the transport before there is a channel: it connects, and the first channel needs no negotiation.
func TestAlwaysNegotiateDataChannels(t *testing.T) { everywhere(t, testAlwaysNegotiateDataChannels) }

func testAlwaysNegotiateDataChannels(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, func(i int, b rtc.Builder) rtc.Builder {
		if i == 0 {
			b = b.Configuration(rtc.Configuration{AlwaysNegotiateDataChannels: true})
		}
		return b
	})
	p.negotiate(0)
	p.until("connected", func() bool {
		return p.rec[0].state() == rtc.PeerConnectionStateConnected && p.rec[1].state() == rtc.PeerConnectionStateConnected
	})
	p.pass(time.Second)
	start := p.now()
	for i := range p.pc {
		_, err := p.pc[i].CreateDataChannel(fmt.Sprint("of ", i), nil)
		p.must(err)
	}
	p.until("open", func() bool { return p.rec[0].count("open of 1") == 1 && p.rec[1].count("open of 0") == 1 })
	if took := p.now().Sub(start); took > 15*time.Millisecond && w.simulated() {
		t.Errorf("channels of a connection that is there took %v", took)
	}
	for _, r := range p.rec {
		if r.has("negotiationneeded") {
			t.Errorf("%s heard %q", r.name, r.heard())
		}
	}
}

// An offer of nothing is answered by nothing, and the connection stays new until somebody has a use for it; then either side may offer.
func TestEmptyNegotiation(t *testing.T) { everywhere(t, testEmptyNegotiation) }

func testEmptyNegotiation(t *testing.T, w *world) {
	for _, next := range []int{0, 1} {
		p := w.newPair(t, sim.Config{}, nil)
		for i := range 2 {
			offer, err := p.pc[i].CreateOffer(nil)
			p.must(err)
			if strings.Contains(offer.SDP, "m=") {
				t.Errorf("the offer is\n%s", offer.SDP)
			}
			p.must(p.pc[i].SetLocalDescription(offer))
			p.must(p.pc[1-i].SetRemoteDescription(offer))
			p.must(p.pc[1-i].SetLocalDescription(rtc.SessionDescription{}))
			p.must(p.pc[i].SetRemoteDescription(*p.pc[1-i].LocalDescription()))
		}
		p.pass(time.Minute)
		for i, pc := range p.pc {
			if pc.ConnectionState() != rtc.PeerConnectionStateNew || pc.ICEGatheringState() != rtc.ICEGatheringStateNew || pc.SignalingState() != rtc.SignalingStateStable {
				t.Errorf("%s is %v, %v, %v", p.rec[i].name, pc.ConnectionState(), pc.ICEGatheringState(), pc.SignalingState())
			}
		}
		_, err := p.pc[next].CreateDataChannel("data", nil)
		p.must(err)
		p.negotiate(next)
		p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
	}
}

// The answer may come long after the offer, and the peer's first packets before it: nothing is lost by that.
func TestLateAnswer(t *testing.T) { everywhere(t, testLateAnswer) }

func testLateAnswer(t *testing.T, w *world) {
	for _, role := range []rtc.DTLSRole{rtc.DTLSRoleClient, rtc.DTLSRoleServer} {
		for _, late := range []time.Duration{time.Millisecond, time.Second, 10 * time.Second} {
			t.Run(fmt.Sprint(role, "/", late), func(t *testing.T) {
				p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, func(_ int, b rtc.Builder) rtc.Builder {
					return b.DTLS(rtc.DTLSOptions{AnsweringRole: role})
				})
				p.offered(1)
				p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{}))
				p.pass(late)
				start := p.now()
				p.must(p.pc[0].SetRemoteDescription(*p.pc[1].LocalDescription()))
				p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
				if took := p.now().Sub(start); took > time.Second && w.simulated() {
					t.Errorf("open %v after the answer", took)
				}
			})
		}
	}
}
