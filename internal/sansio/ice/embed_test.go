package ice

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/sansrtc/rtc/internal/simnet"
)

// datagram is one of a handshake, of n bytes.
func datagram(number, n int) []byte {
	b := bytes.Repeat([]byte{byte(number)}, n)
	b[0] = 22
	return b
}

// acks is the attribute that acknowledges datagrams.
func acks(datagrams ...[]byte) stun.RawAttribute {
	var v []byte
	for _, d := range datagrams {
		v = binary.BigEndian.AppendUint32(v, crc32.ChecksumIEEE(d))
	}
	return stun.RawAttribute{Type: 0xc071, Value: v}
}

func with(d []byte) stun.RawAttribute { return stun.RawAttribute{Type: 0xc070, Value: d} }

// newEmbedder's agent has agreed to embed, and has a flight and one candidate to check.
func newEmbedder(t *testing.T, cfg Config, flight ...[]byte) (*peer, sentPacket) {
	t.Helper()
	cfg.Embedding = true
	p := newPeer(t, cfg)
	p.a.AgreeEmbedding(true)
	p.answer()
	p.candidate(p.addr)
	p.embed(flight...)
	return p, p.wantRequest("a check to the candidate")
}

func (p *peer) embed(flight ...[]byte) {
	p.a.Embed(p.now, flight, false)
	p.a.check(p.now)
}

func (p *peer) wantState(what string, want EmbeddingState) {
	p.t.Helper()
	if got := p.a.Stats().Embedding.State; got != want {
		p.t.Fatalf("%s: embedding is %v, not %v", what, got, want)
	}
}

// carried says what a message has of embedding: the datagram, and how many it acknowledges; -1: it has no such attribute.
func carried(m *stun.Message) (d []byte, acknowledged int) {
	d, _ = m.Get(0xc070)
	v, err := m.Get(0xc071)
	if err != nil {
		return d, -1
	}
	return d, len(v) / 4
}

func (p *peer) wantCarried(what string, s sentPacket, want []byte, acknowledged int) {
	p.t.Helper()
	if d, n := carried(s.m); !bytes.Equal(d, want) || n != acknowledged {
		p.t.Fatalf("%s: it carries %.4x of %d bytes and acknowledges %d; want %.4x of %d and %d", what, d, len(d), n, want, len(want), acknowledged)
	}
}

// wantFlight fails unless these datagrams leave by themselves.
func (p *peer) wantFlight(what string, want ...[]byte) {
	p.t.Helper()
	var got [][]byte
	for d, ok := p.a.PollFlight(nil); ok; d, ok = p.a.PollFlight(nil) {
		got = append(got, d)
	}
	p.a.check(p.now)
	if !slices.EqualFunc(got, want, bytes.Equal) {
		p.t.Fatalf("%s: %d datagrams leave by themselves, want %d: %.3x", what, len(got), len(want), got)
	}
}

// The attributes are where Chromium has them: acknowledgements first, then the datagram, both under MESSAGE-INTEGRITY. With the largest datagram that libwebrtc
// makes the packet passes any path.
func TestEmbeddingOnTheWire(t *testing.T) {
	p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 900))
	var types []string
	for _, a := range check.m.Attributes {
		types = append(types, fmt.Sprintf("%04x", uint16(a.Type)))
	}
	if got, want := strings.Join(types, " "), "0006 802a 0025 0024 c071 c070 0008 8028"; got != want {
		t.Errorf("attributes %s, want %s", got, want)
	}
	p.wantCarried("the first check", check, datagram(1, 900), 0)
	if len(check.raw) > 1200 {
		t.Errorf("a check of %d bytes", len(check.raw))
	}
	theirs := datagram(2, 900)
	if got := p.sendFrom(p.addr, p.request(acks(), with(theirs))); !bytes.Equal(got, theirs) {
		t.Errorf("the owner is given %.4x", got)
	}
	// The owner answers at once, and the response to what has brought the question has it.
	p.embed(datagram(3, 901))
	p.wantCarried("the response", p.wantPacket("a response", stun.BindingSuccess), datagram(3, 901), 1)
}

// A datagram that does not fit is left out. Acknowledgements do fit.
func TestEmbeddingThatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		ufrag        int
		acknowledged int
		data         bool
	}{{4, 4, true}, {256, 4, false}} {
		p := newPeer(t, Config{Embedding: true})
		p.creds.Ufrag = strings.Repeat("f", c.ufrag)
		p.a.AgreeEmbedding(true)
		p.answer()
		for i := range 4 {
			p.a.HandleDatagram(datagram(i, 20))
		}
		d := datagram(9, 960)
		p.embed(d)
		p.candidate(p.addr)
		check := p.wantRequest("a check")
		if !c.data {
			d = nil
		}
		p.wantCarried(fmt.Sprint(c.ufrag), check, d, c.acknowledged)
		if len(check.raw) > maxEmbedding {
			t.Errorf("a check of %d bytes", len(check.raw))
		}
	}
}

// "If it is not agreed on", nobody is sent the attributes who has not sent them; a peer that does is answered in kind.
func TestEmbeddingNotAgreedOn(t *testing.T) {
	p := newPeer(t, Config{Embedding: true})
	p.answer()
	p.candidate(p.addr)
	p.wantCarried("a check", p.wantRequest("a check"), nil, -1)
	p.send(p.request())
	p.wantCarried("a response", p.wantPacket("a response", stun.BindingSuccess), nil, -1)
	p.wantState("nothing was seen", EmbeddingReady)
	if got := p.sendFrom(p.addr, p.request(acks(), with(datagram(1, 100)))); got == nil {
		t.Error("the datagram is not taken")
	}
	p.wantState("the peer has begun", EmbeddingConfirmed)
	p.wantCarried("a response", p.wantPacket("a response", stun.BindingSuccess), nil, 1)

	// Nor is anything taken or told by who does not want it.
	p = newPeer(t, Config{})
	p.a.AgreeEmbedding(true)
	p.answer()
	if got := p.sendFrom(p.addr, p.request(acks(), with(datagram(1, 100)))); got != nil || p.a.Embeds() {
		t.Error("the datagram is taken")
	}
	p.wantCarried("a response", p.wantPacket("a response", stun.BindingSuccess), nil, -1)
	p.wantState("not wanted", EmbeddingNone)
}

// An answer may take back what a provisional one has agreed on.
func TestEmbeddingIsTakenBack(t *testing.T) {
	p := newPeer(t, Config{Embedding: true})
	p.a.AgreeEmbedding(true)
	p.wantState("agreed", EmbeddingTentative)
	p.a.AgreeEmbedding(false)
	p.answer()
	p.candidate(p.addr)
	p.wantCarried("a check", p.wantRequest("a check"), nil, -1)
	p.wantState("taken back", EmbeddingOff)
}

// A peer that agrees and does not, or whose attributes something takes out: with the first message without them all that was embedded leaves by itself,
// as soon as there is a way, and the attributes are not seen again.
func TestEmbeddingIsOff(t *testing.T) {
	for _, request := range []bool{true, false} {
		flight := [][]byte{datagram(1, 100), datagram(2, 100)}
		p, check := newEmbedder(t, Config{Controlling: true}, flight...)
		p.wantCarried("a check", check, flight[0], 0)
		if request {
			p.send(p.request())
			p.wantState("a request without", EmbeddingOff)
			p.wantCarried("the response", p.wantPacket("a response", stun.BindingSuccess), nil, -1)
			p.wantFlight("no route")
		}
		p.send(p.success(check))
		p.wantState("a response without", EmbeddingOff)
		if p.a.Embeds() {
			t.Error("more is to be embedded")
		}
		p.wantFlight("a route", flight...)
		if p.a.embed != nil {
			t.Error("something is kept")
		}
		if got := p.sendFrom(p.addr, p.request(acks(), with(datagram(3, 100)))); got != nil {
			t.Error("what comes late is taken")
		}
		p.wantCarried("the response", p.wantPacket("a response", stun.BindingSuccess), nil, -1)
	}
}

// A response that says what was received, if nothing, has received its request and what that carried. Without that it says nothing.
func TestImplicitAcknowledgement(t *testing.T) {
	flight := [][]byte{datagram(1, 100), datagram(2, 100), datagram(3, 100)}
	p, check := newEmbedder(t, Config{Controlling: true}, flight...)
	p.send(p.success(check, acks()))
	p.wantFlight("the first was acknowledged", flight[1:]...)
	p.wantState("the peer does it", EmbeddingConfirmed)

	p, check = newEmbedder(t, Config{Controlling: true}, flight...)
	p.send(p.request(acks())) // so that the response does not end it
	p.send(p.success(check, with(datagram(9, 50))))
	p.packets()
	if len(p.a.embed.flight) != 3 {
		t.Errorf("of %d datagrams %d are left", len(flight), len(p.a.embed.flight))
	}
	p.send(p.request(acks(flight[2], datagram(7, 7), flight[0])))
	if len(p.a.embed.flight) != 1 {
		t.Errorf("%d datagrams are left, 2 of 3 were acknowledged", len(p.a.embed.flight))
	}
}

// A check that is repeated carries the next datagram, and the response to each acknowledges the one that it has carried.
func TestRepeatedRequest(t *testing.T) {
	flight := [][]byte{datagram(1, 100), datagram(2, 100)}
	for i := range flight {
		p, check := newEmbedder(t, Config{Controlling: true}, flight...)
		p.wantCarried("the check", check, flight[0], 0)
		p.advance(300 * time.Millisecond)
		again := p.wantRequest("the check again")
		p.wantCarried("the check again", again, flight[1], 0)
		p.send(p.success([]sentPacket{check, again}[i], acks()))
		if left := p.a.embed.flight; len(left) != 1 || !bytes.Equal(left[0].data, flight[1-i]) {
			t.Errorf("the response to check %d leaves %d datagrams", i, len(left))
		}
	}
	// What has taken the place of a flight is not acknowledged by the response to what has carried that.
	p, check := newEmbedder(t, Config{Controlling: true}, flight...)
	p.embed(datagram(3, 100))
	p.send(p.success(check, acks()))
	if len(p.a.embed.flight) != 1 {
		t.Error("what the response has not seen is acknowledged")
	}
}

// The datagrams of a flight take turns in what is sent.
func TestEmbeddingTakesTurns(t *testing.T) {
	flight := [][]byte{datagram(1, 100), datagram(2, 100), datagram(3, 100)}
	p, check := newEmbedder(t, Config{}, flight...)
	p.wantCarried("check", check, flight[0], 0)
	p.advance(10 * time.Millisecond) // so that no check goes together with the first response
	for i := range 7 {
		p.a.nextCheck = p.now.Add(time.Hour)
		p.send(p.request(acks()))
		p.wantCarried(fmt.Sprint("response ", i), p.wantPacket("a response", stun.BindingSuccess), flight[(i+1)%3], 0)
	}
	// One that is acknowledged leaves the order of the others alone.
	p.send(p.request(acks(flight[2])))
	p.wantCarried("then", p.wantPacket("a response", stun.BindingSuccess), flight[0], 0)
	p.send(p.request(acks()))
	p.wantCarried("and then", p.wantPacket("a response", stun.BindingSuccess), flight[1], 0)
}

// Four datagrams are acknowledged, the last ones, and none is given to the owner twice, by whatever message it comes again.
func TestEmbeddedTwice(t *testing.T) {
	p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	for i := range 6 {
		if p.sendFrom(p.addr, p.request(acks(), with(datagram(10+i, 50)))) == nil || p.sendFrom(p.addr, p.request(acks(), with(datagram(10+i, 50)))) != nil {
			t.Errorf("datagram %d is not given once", i)
		}
		p.packets()
	}
	p.a.HandleDatagram(datagram(30, 50)) // by itself
	if p.sendFrom(p.addr, p.success(check, acks(), with(datagram(30, 50)))) != nil {
		t.Error("what came by itself is given again")
	}
	p.send(p.request(acks()))
	v, _ := p.wantPacket("a response", stun.BindingSuccess).m.Get(0xc071)
	if want := acks(datagram(13, 50), datagram(14, 50), datagram(15, 50), datagram(30, 50)).Value; !bytes.Equal(v, want) {
		t.Errorf("%x are acknowledged, want %x", v, want)
	}
	if s := p.a.Stats().Embedding; s.DataReceived != 13 || s.DataReceivedBefore != 7 || s.DataSent == 0 {
		t.Errorf("%+v", s)
	}
}

// "An empty attribute must not be injected", nor what is no DTLS; what acknowledges nonsense acknowledges nothing.
func TestEmbeddedNonsense(t *testing.T) {
	p, _ := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	for i, d := range [][]byte{{}, {22}, make([]byte, 100), datagram(1, 12), bytes.Repeat([]byte{0x80}, 100), bytes.Repeat([]byte{64}, 20)} {
		if p.sendFrom(p.addr, p.request(acks(), with(d))) != nil {
			t.Errorf("datagram %d is taken", i)
		}
		if n := p.a.dropped.Embedded; n != uint64(i+1) {
			t.Errorf("%d are counted of %d", n, i+1)
		}
		p.wantCarried("the response", p.wantPacket("a response", stun.BindingSuccess), datagram(1, 100), 0)
	}
	for _, n := range []int{1, 3, 5, 400} {
		p.send(p.request(stun.RawAttribute{Type: 0xc071, Value: make([]byte, n)}))
	}
	if len(p.a.embed.flight) != 1 {
		t.Error("nonsense acknowledges")
	}
}

// Nothing has an effect that MESSAGE-INTEGRITY does not cover.
func TestEmbeddingWithoutIntegrity(t *testing.T) {
	p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	cut := p.request(acks(datagram(1, 100)), with(datagram(2, 100)))
	cut[len(cut)-15] ^= 1
	user := stun.NewUsername(p.a.LocalCredentials().Ufrag + ":" + p.creds.Ufrag)
	prio := stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{110, 1, 2, 3}}
	ours := stun.NewShortTermIntegrity(p.a.LocalCredentials().Pwd)
	noEffect(t, p, cut, p.build(stun.BindingRequest, user, prio, acks(datagram(1, 100)), with(datagram(2, 100)), stun.Fingerprint),
		p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.BindingSuccess, &stun.XORMappedAddress{IP: p.base.Addr().AsSlice(), Port: 1000},
			acks(datagram(1, 100)), with(datagram(2, 100)), stun.NewShortTermIntegrity("another"), stun.Fingerprint))
	p.wantState("nothing came", EmbeddingTentative)
	// Attributes behind it are nobody's.
	if p.sendFrom(p.addr, p.build(stun.BindingRequest, user, prio, acks(), ours, with(datagram(2, 100)), stun.Fingerprint)) != nil {
		t.Error("what is behind MESSAGE-INTEGRITY is taken")
	}
}

// A peer may name candidates that are somebody else's: datagrams go to the best few of them, and to all together, whatever comes and goes, no more than
// a sender's first window.
func TestEmbeddingToManyCandidates(t *testing.T) {
	p := newPeer(t, Config{Controlling: true, Embedding: true, Ta: -1, MaxPairs: 10})
	p.a.AgreeEmbedding(true)
	p.embed(datagram(1, 900))
	p.answer()
	for i := range 20 {
		_ = p.a.AddRemoteCandidate(p.now, HostCandidate(addr(fmt.Sprintf("198.51.100.%d:1000", i)), p.creds.Ufrag, uint16(1000+i)))
		p.a.check(p.now)
	}
	bytesTo, first := map[string]int{}, 0
	count := func() {
		for _, s := range p.packets() {
			if d, _ := carried(s.m); d != nil {
				bytesTo[s.remote.String()] += len(d)
				first += len(d)
			}
		}
	}
	count()
	if n := first / 900; n < 4 || n > 16 {
		t.Errorf("%d datagrams at first", n)
	}
	for range 20 {
		p.advance(250 * time.Millisecond)
		count()
	}
	if first > maxUnproven || first < maxUnproven-900 {
		t.Errorf("%d bytes went to who has not answered", first)
	}
	// Who has answered, or has asked, does not count.
	before := first
	p.send(p.request(acks()))
	p.advance(10 * time.Millisecond)
	for _, s := range p.packets() {
		if d, _ := carried(s.m); d != nil {
			t.Error("more than the limit")
		}
		if s.remote == p.addr && s.m.Type == stun.BindingRequest {
			p.send(p.success(s, acks()))
		}
	}
	p.embed(datagram(2, 900))
	p.send(p.request(acks()))
	p.wantCarried("to who has answered", p.wantPacket("a response", stun.BindingSuccess), datagram(2, 900), 0)
	if first != before {
		t.Error("the others are sent more")
	}
}

// Before anything has come from anywhere, the four best pairs carry datagrams; any other one does when the peer is heard there.
func TestEmbeddingOnTheBestPairs(t *testing.T) {
	p := newPeer(t, Config{Controlling: true, Embedding: true, Ta: -1})
	p.a.AgreeEmbedding(true)
	p.embed(datagram(1, 300))
	p.answer()
	for i := range 12 {
		if err := p.a.AddRemoteCandidate(p.now, HostCandidate(addr(fmt.Sprintf("198.51.100.%d:1000", i)), p.creds.Ufrag, uint16(1000-i))); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for i, s := range p.packets() {
		d, acknowledged := carried(s.m)
		if acknowledged < 0 || (d != nil) != (i < 4) {
			t.Errorf("the check of pair %d carries %d bytes and acknowledges %d", i, len(d), acknowledged)
		}
		n++
	}
	if n != 12 {
		t.Errorf("%d checks", n)
	}
	p.sendFrom(addr("198.51.100.9:1000"), p.request(acks()))
	for _, s := range p.packets() {
		p.wantCarried("to where the peer was heard", s, datagram(1, 300), 0)
	}
}

// A flight that answers what has come by itself, while the path the other way is not known to work, does not wait for a check to be repeated.
func TestFlightHasACheckOfItsOwn(t *testing.T) {
	p, _ := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	p.advance(10 * time.Millisecond)
	p.embed(datagram(2, 100))
	p.wantIdle("nothing was heard of the peer")
	p.send(p.request(acks()))
	p.packets()
	p.advance(10 * time.Millisecond)
	p.packets()
	p.embed(datagram(3, 100))
	p.wantCarried("a check", p.wantRequest("a check at once"), datagram(3, 100), 0)
	// A message that leaves anyway makes it needless.
	p.advance(10 * time.Millisecond)
	p.send(p.request(acks()))
	p.embed(datagram(4, 100))
	requests := 0
	for _, s := range p.packets() {
		if s.m.Type == stun.BindingRequest {
			requests++
		}
	}
	if requests > 1 {
		t.Errorf("%d checks, the triggered one was enough", requests)
	}
}

// What a pair that answers has taken of the limit is given back.
func TestEmbeddingIsProven(t *testing.T) {
	p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 900))
	if p.a.embed.unproven != 900 {
		t.Errorf("%d bytes are not proven", p.a.embed.unproven)
	}
	p.send(p.success(check, acks()))
	if p.a.embed.unproven != 0 {
		t.Errorf("%d bytes are not proven after a response", p.a.embed.unproven)
	}
}

// A datagram leaves by the route once: by itself, unless a check or response that goes there takes it. When the route is another one, it leaves there too.
func TestFlightByTheRoute(t *testing.T) {
	p, check := newEmbedder(t, Config{Controlling: true})
	p.wantCarried("nothing to say", check, nil, 0)
	p.embed(datagram(1, 100))
	p.wantFlight("no route")
	p.send(p.success(check, acks()))
	p.wantFlight("a route", datagram(1, 100))
	p.wantFlight("once")
	p.embed(datagram(2, 100), datagram(3, 100))
	p.send(p.request(acks()))
	p.wantCarried("the response", p.wantPacket("a response", stun.BindingSuccess), datagram(2, 100), 0)
	p.wantFlight("the other", datagram(3, 100))
	// The response to a check from elsewhere is no way to the route.
	p.embed(datagram(4, 100))
	p.sendFrom(addr("192.0.2.3:3000"), p.request(acks()))
	p.wantCarried("elsewhere", p.wantPacket("a response", stun.BindingSuccess), datagram(4, 100), 0)
	p.wantFlight("by the route", datagram(4, 100))
}

// When both have completed the handshake nothing is embedded any more and nothing is kept. A restart changes nothing about that.
func TestEmbeddingIsComplete(t *testing.T) {
	final := datagram(5, 300)
	for name, c := range map[string]struct {
		flight [][]byte
		end    func(p *peer)
	}{
		"nothing to say":       {nil, func(p *peer) { p.send(p.request(acks())) }},
		"acknowledged":         {[][]byte{final}, func(p *peer) { p.send(p.request(acks(final))) }},
		"without attributes":   {[][]byte{final}, func(p *peer) { p.send(p.request()) }},
		"data of the peer":     {[][]byte{final}, func(p *peer) { p.a.HandleData(p.now, p.base, p.addr) }},
		"quiet":                {[][]byte{final}, func(p *peer) { p.a.Rest() }},
		"implicitly, by check": {[][]byte{final}, func(p *peer) { p.advance(7 * time.Second); p.send(p.success(p.wantRequest("consent"), acks())) }},
	} {
		t.Run(name, func(t *testing.T) {
			p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
			p.send(p.success(check, acks()))
			p.packets()
			p.embed(c.flight...)
			p.a.EndEmbedding(p.now)
			p.a.check(p.now)
			p.wantState("complete at this end", EmbeddingPending)
			p.wantFlight("the last word", c.flight...)
			c.end(p)
			p.a.check(p.now)
			p.packets()
			p.wantState("complete", EmbeddingComplete)
			if p.a.embed != nil {
				t.Error("something is kept")
			}
			p.send(p.request(acks(), with(datagram(7, 100))))
			p.wantCarried("afterwards", p.wantPacket("a response", stun.BindingSuccess), nil, -1)
			p.a.Restart(p.now, Credentials{"another", "passwordOfTwentyTwoAndMore"})
			p.a.AgreeEmbedding(true)
			p.a.AddLocalCandidate(p.now, HostCandidate(p.base, "another", 65535))
			p.creds.Pwd += "2"
			p.answer()
			p.candidate(p.addr)
			p.advance(10 * time.Millisecond)
			p.wantCarried("after a restart", p.wantRequest("a check"), nil, -1)
			p.wantState("after a restart", EmbeddingComplete)
		})
	}
}

// A lite peer never checks: its responses carry its flights, and our checks ours.
func TestEmbeddingWithALitePeer(t *testing.T) {
	p := newPeer(t, Config{Embedding: true})
	p.a.AgreeEmbedding(true)
	p.a.SetRemote(p.now, p.creds, true)
	p.candidate(p.addr)
	p.embed(datagram(1, 200))
	check := p.wantRequest("a check")
	p.wantCarried("the check", check, datagram(1, 200), 0)
	if d := p.sendFrom(p.addr, p.success(check, acks(datagram(1, 200)), with(datagram(2, 700)))); !bytes.Equal(d, datagram(2, 700)) {
		t.Fatalf("the response brings %.4x", d)
	}
	p.embed(datagram(3, 400))
	// The pair that works is nominated by another check, which takes the answer along.
	p.wantCarried("the nomination", p.wantRequest("a nomination"), datagram(3, 400), 1)
	p.wantFlight("it has left")
}

// The peer's data says that its handshake is complete. An answer to its last word, given at the same time, leaves all the same.
func TestLastWordOfEmbedding(t *testing.T) {
	p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	p.send(p.success(check, acks()))
	p.embed(datagram(2, 40))
	p.a.EndEmbedding(p.now)
	p.a.HandleData(p.now, p.base, p.addr)
	p.a.check(p.now)
	p.wantState("the peer sends data", EmbeddingComplete)
	p.wantFlight("the last word", datagram(2, 40))
	if p.a.embed != nil {
		t.Error("something is kept")
	}
}

// sent tells when within d, from now on, checks are sent that nobody answers.
func (p *peer) sent(d time.Duration) (at []time.Duration) {
	begin := p.now
	for end := p.now.Add(d); p.now.Before(end); p.advance(time.Millisecond) {
		for range p.packets() {
			at = append(at, p.now.Sub(begin)/time.Millisecond)
		}
	}
	return at
}

// Where the peer has got what was embedded and there is still no route, only an answer is missing: it is asked for every 50 ms, or sixteen times in what may
// be two round trips, and no more than sixteen times. Before, and once there is a route, nothing is hurried.
func TestHurry(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration // until the peer shows that it has something
		shows func(p *peer)
		want  time.Duration // from there between checks
	}{
		"acknowledged, short path": {30 * time.Millisecond, func(p *peer) { p.send(p.request(acks(datagram(1, 100)))) }, 50},
		"acknowledged, long path":  {800 * time.Millisecond, func(p *peer) { p.send(p.request(acks(datagram(1, 100)))) }, 100},
		"complete":                 {100 * time.Millisecond, func(p *peer) { p.send(p.request(acks())); p.a.EndEmbedding(p.now); p.a.check(p.now) }, 50},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
			p.advance(c.after)
			p.packets()
			c.shows(p)
			p.packets() // the response and the triggered check
			// Those that are repeated because their time has come are among them.
			last, repeated := time.Duration(0), 0
			for i, at := range p.sent(24 * c.want * time.Millisecond) {
				if hurried := i - repeated; at > last+c.want && hurried < maxHurried {
					t.Fatalf("after %d checks one after %d ms, and the next after %d; want no more than %d between", i, last, at, c.want)
				} else if at < last+c.want || hurried >= maxHurried {
					repeated++
				}
				last = at
			}
			if n := len(p.sent(time.Second)); p.a.embed.hurried != maxHurried || n > 4 {
				t.Errorf("%d were hurried, and %d follow in a second", p.a.embed.hurried, n)
			}
		})
	}
	p, _ := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	p.advance(10 * time.Millisecond)
	p.send(p.request(acks()))
	p.packets()
	if at := p.sent(240 * time.Millisecond); at != nil {
		t.Errorf("the peer has shown nothing, and is asked after %d ms", at)
	}
	p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	p.send(p.request(acks(datagram(1, 100))))
	p.send(p.success(check, acks()))
	p.packets()
	if at := p.sent(time.Second); at != nil {
		t.Errorf("there is a route, and it is asked after %d ms", at)
	}
	// Nor is another pair hurried then, on which the peer is heard too.
	other := netip.AddrPortFrom(p.addr.Addr(), 2003)
	p.sendFrom(other, p.request(acks()))
	p.advance(10 * time.Millisecond)
	p.packets()
	if at := p.sent(200 * time.Millisecond); at != nil {
		t.Errorf("there is a route, and another pair is asked after %d ms", at)
	}
}

// On a path that loses nothing a flight leaves once by the route. When it is sent again, or a check was answered whose predecessor was not, it leaves by
// itself and in a check, and so does each flight from then on.
func TestFlightLeavesTwice(t *testing.T) {
	p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	p.send(p.success(check, acks()))
	p.embed(datagram(2, 100))
	p.wantIdle("nothing was lost")
	p.wantFlight("nothing was lost", datagram(2, 100))
	p.a.Embed(p.now, [][]byte{datagram(3, 100), datagram(4, 100)}, true)
	p.a.check(p.now)
	p.wantCarried("again", p.wantRequest("a check"), datagram(3, 100), 0)
	p.wantFlight("again", datagram(3, 100), datagram(4, 100))
	p.embed(datagram(5, 100))
	p.wantCarried("the next flight", p.wantRequest("a check"), datagram(5, 100), 0)
	p.wantFlight("the next flight", datagram(5, 100))

	p, _ = newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	p.advance(300 * time.Millisecond)
	p.send(p.success(p.wantRequest("the check again"), acks()))
	p.embed(datagram(2, 100))
	p.wantCarried("a check was lost", p.wantRequest("a check"), datagram(2, 100), 0)
	p.wantFlight("a check was lost", datagram(2, 100))
}

// Each datagram that nobody has acknowledged is joined once, by what leaves on the route while the handshake is embedded.
func TestJoinFlight(t *testing.T) {
	p, check := newEmbedder(t, Config{Controlling: true}, datagram(1, 100))
	want := func(what string, want []byte) {
		t.Helper()
		if d, ok := p.a.PeekFlight(nil); ok != (want != nil) || !bytes.Equal(d, want) {
			t.Errorf("%s: %.4x may be joined, want %.4x", what, d, want)
		}
	}
	want("no route", nil)
	p.send(p.success(check, acks()))
	want("all is acknowledged", nil)
	p.embed(datagram(2, 100), datagram(3, 100))
	want("a flight", datagram(2, 100))
	want("nothing has joined it", datagram(2, 100))
	p.a.JoinFlight()
	want("the next", datagram(3, 100))
	p.send(p.request(acks(datagram(3, 100))))
	want("one was joined, one is acknowledged", nil)
	p.embed(datagram(4, 100))
	want("a flight", datagram(4, 100))
	p.a.EndEmbedding(p.now)
	want("complete at this end", datagram(4, 100))
	p.a.HandleData(p.now, p.base, p.addr)
	want("complete at both", nil)
}

// Two agents carry each other's flights, whatever the path does to them: all of both arrive, each is given once, and unchanged.
func TestEmbeddingBetweenAgents(t *testing.T) {
	for seed := range uint64(40) {
		w := newWorld(t, seed, Config{Embedding: true}, Config{Embedding: true})
		w.base(0, "192.0.2.1:1000")
		w.base(1, "192.0.2.2:2000")
		w.join(simnet.Config{Delay: 20 * time.Millisecond, Loss: float64(seed%4) / 10, Duplicate: 0.1, Reorder: 0.1})
		var got [2]map[string]int
		for i, a := range w.agents {
			got[i] = map[string]int{}
			a.AgreeEmbedding(true)
			a.Embed(w.now, [][]byte{datagram(10*i+1, 800), datagram(10*i+2, 13), datagram(10*i+3, 900)}, false)
		}
		w.embedded = func(to int, b []byte) { got[to][string(b)]++ }
		w.introduce()
		w.runUntil("all datagrams", time.Minute, func() bool {
			for _, a := range w.agents {
				for d, ok := a.PollFlight(nil); ok; d, ok = a.PollFlight(nil) {
					_ = d // lost
				}
			}
			return len(got[0]) == 3 && len(got[1]) == 3
		})
		for to := range got {
			for i, n := range []int{800, 13, 900} {
				if times := got[to][string(datagram(10*(1-to)+i+1, n))]; times != 1 {
					t.Errorf("seed %d: agent %d was given datagram %d %d times", seed, to, i, times)
				}
			}
		}
	}
}
