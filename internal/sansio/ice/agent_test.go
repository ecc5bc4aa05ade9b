package ice

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/sansrtc/rtc/internal/simnet"
)

// The same calls with the same randomness give the same packets and events.
func TestReproducible(t *testing.T) {
	record := func() []byte {
		var log bytes.Buffer
		w := newWorld(t, 5, Config{}, Config{})
		for who := range 2 {
			for i := range 3 {
				w.base(who, fmt.Sprintf("192.0.%d.%d:1000", who, i+1))
			}
		}
		w.join(simnet.Config{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.2, Duplicate: 0.1})
		w.see = func(from int, local, remote netip.AddrPort, b []byte) {
			fmt.Fprintf(&log, "%v %d %v %v %x\n", w.now, from, local, remote, b)
		}
		w.hear = func(who int, e Event) { fmt.Fprintf(&log, "%v %d %v\n", w.now, who, e) }
		w.introduce()
		w.run(2 * time.Minute)
		return log.Bytes()
	}
	if a, b := record(), record(); !bytes.Equal(a, b) || len(a) < 10000 {
		t.Errorf("two runs differ, %d and %d bytes", len(a), len(b))
	}
}

// A connection is kept alive by one exchange for both, in three sends: each 4 to 6 s if data moves, else each 12 to 18 s.
func TestIdle(t *testing.T) {
	for _, data := range []bool{false, true} {
		w := newWorld(t, 1, Config{}, Config{})
		w.base(0, "192.0.2.1:1000")
		w.base(1, "192.0.2.2:2000")
		w.join(simnet.Config{Delay: 20 * time.Millisecond})
		w.introduce()
		w.run(40 * time.Second)
		wakeups := 0
		w.sent = [2]int{}
		for end := w.now.Add(10 * time.Minute); w.now.Before(end); wakeups++ {
			if !data {
				w.step(end)
				continue
			}
			for _, a := range w.agents {
				l, r, _ := a.Route()
				a.HandleData(w.now, l, r)
				a.HandleUse(w.now)
			}
			w.run(100 * time.Millisecond)
		}
		// 600 s are 120 exchanges of the one kind, on average, or 40 of the other. Each has four packets, and four moments: the one who is due
		// first wakes up for it, then one hears after the other.
		limit := 90
		if data {
			limit = 260
		}
		if w.sent[0] > limit || w.sent[1] > limit {
			t.Errorf("data %v: %v packets in ten minutes", data, w.sent)
		}
		if !data && wakeups > 180 {
			t.Errorf("%d wakeups of two agents in ten minutes", wakeups)
		}
		if w.agents[0].State() != StateCompleted {
			t.Error(w.agents[0].State())
		}
	}
}

// Ten thousand idle connections fit into little memory.
func TestMemory(t *testing.T) {
	const n = 500
	var before, after runtime.MemStats
	keep := make([]*Agent, 0, n)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		p := newConnectedPeer(t, Config{})
		p.a.cfg.Rand = nil
		keep = append(keep, p.a)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if per := (after.HeapAlloc - before.HeapAlloc) / n; per > 12<<10 {
		t.Errorf("%d bytes per agent", per)
	} else {
		t.Logf("%d bytes per agent", per)
	}
	runtime.KeepAlive(keep)
}

// A check that is repeated is another transaction: the answer to either tells the round-trip time.
func TestRTT(t *testing.T) {
	for i, want := range []time.Duration{300 * time.Millisecond, 50 * time.Millisecond} {
		p, check := newCheckedPeer(t, Config{})
		p.advance(300 * time.Millisecond) // one retransmission
		checks := []sentPacket{check, p.wantRequest("the check again")}
		if checks[0].m.TransactionID == checks[1].m.TransactionID {
			t.Fatal("the same transaction")
		}
		p.send(p.success(checks[i]))
		if rtt := p.a.RTT(); rtt != want {
			t.Errorf("RTT %v by the answer to check %d, want %v", rtt, i, want)
		}
		s := p.a.Stats().Pairs[0]
		if s.CurrentRoundTripTime != want || s.TotalRoundTripTime != want || s.RequestsSent != 2 || s.ConsentRequestsSent != 0 || s.ResponsesReceived != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// Authenticated data heals a disconnected agent, and only on a pair that is valid.
func TestDataHeals(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	p.a.HandleSent(p.now)
	p.advance(5 * time.Second)
	if p.a.State() != StateDisconnected {
		t.Fatal(p.a.State())
	}
	p.a.HandleData(p.now, p.base, addr("203.0.113.66:666"))
	if p.a.State() != StateDisconnected {
		t.Error("healed by data from elsewhere")
	}
	p.a.HandleData(p.now, p.base, p.addr)
	if p.a.State() != StateConnected {
		t.Error(p.a.State())
	}
	p.a.check(p.now)
}

// A second restart replaces the first, and both roll back to what works; the socket's failure reaches all generations.
func TestRestarts(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	original := p.a.LocalCredentials()
	for i := range 3 {
		p.a.Restart(p.now, Credentials{fmt.Sprint("restart", i), "0123456789012345678901"})
		p.a.check(p.now)
		if _, remote, ok := p.a.Route(); !ok || remote != p.addr || !p.a.Accepts(p.base, p.addr) {
			t.Fatal("the old route is gone")
		}
	}
	p.a.Rollback(p.now)
	p.a.check(p.now)
	if p.a.LocalCredentials() != original || p.a.State() != StateConnected {
		t.Errorf("%v %v", p.a.LocalCredentials(), p.a.State())
	}
	p.a.Rollback(p.now) // nothing to return to
	p.a.Restart(p.now, Credentials{"last", "0123456789012345678901"})
	p.a.RemoveLocalCandidate(p.now, p.base)
	p.a.check(p.now)
	if _, _, ok := p.a.Route(); ok {
		t.Error("a route without a socket")
	}
	p.a.Close(p.now)
	p.a.Restart(p.now, original)
	p.a.Rollback(p.now)
	p.a.HandleTimeout(p.now)
	p.a.SetRemote(p.now, p.creds, false)
	p.a.SetControlling(p.now, true)
	p.a.EndOfLocalCandidates(p.now)
	p.a.Close(p.now)
	if p.a.AddLocalCandidate(p.now, HostCandidate(p.base, "", 1)) {
		t.Error("a closed agent takes a candidate")
	}
	p.a.check(p.now)
	p.send(p.request())
	p.wantIdle("closed")
	var last Event
	for e, ok := p.a.PollEvent(); ok; e, ok = p.a.PollEvent() {
		last = e
	}
	if last.State != StateClosed {
		t.Errorf("last event %v", last)
	}
}

// A failed agent starts anew with a restart.
func TestRestartAfterFailure(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	p.advance(time.Minute)
	p.packets()
	if p.a.State() != StateFailed || p.a.AddLocalCandidate(p.now, HostCandidate(addr("192.0.2.7:7"), "", 1)) {
		t.Fatal(p.a.State())
	}
	p.a.Restart(p.now, Credentials{"again", "0123456789012345678901"})
	p.a.AddLocalCandidate(p.now, HostCandidate(p.base, "again", 65535))
	if p.a.State() != StateChecking {
		t.Error(p.a.State())
	}
	p.answer()
	p.candidate(p.addr)
	p.send(p.success(p.wantRequest("after the restart")))
	if p.a.State() != StateConnected {
		t.Error(p.a.State())
	}
}

// Other credentials without a restart, as of an answer after a provisional one, forget the first fork.
func TestAnotherAnswer(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	p.creds, _ = NewCredentials(newSeeded(3))
	p.answer()
	if _, _, ok := p.a.Route(); ok || p.a.Accepts(p.base, p.addr) || p.a.State() != StateChecking {
		t.Errorf("the first fork lives: %v", p.a.State())
	}
	p.candidate(p.addr)
	p.send(p.success(p.wantRequest("the other fork")))
	if p.a.State() != StateConnected {
		t.Error(p.a.State())
	}
}

// What nobody polls is bounded.
func TestUnpolled(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	check := p.request()
	for range 1000 {
		p.send(check)
	}
	if n := len(p.packets()); n != maxQueued || p.a.dropped.Unpolled != 1000-maxQueued {
		t.Errorf("%d packets, %d dropped", n, p.a.dropped.Unpolled)
	}
}

// Values that an owner may log.
func TestStrings(t *testing.T) {
	for _, s := range []fmt.Stringer{Host, Relay, CandidateType(9), StateNew, StateFailed, State(99), PairWaiting, PairState(9), EventRouteChange, EventKind(9)} {
		if s.String() == "" {
			t.Errorf("%T has no name", s)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	rand := newSeeded(1)
	creds, _ := NewCredentials(rand)
	a := New(Config{Rand: rand, Local: creds})
	local, remote := addr("192.0.2.1:1000"), addr("192.0.2.2:2000")
	a.AddLocalCandidate(epoch, HostCandidate(local, creds.Ufrag, 65535))
	check := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(creds.Ufrag+":peer"),
		stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{110, 1, 2, 3}}, stun.NewShortTermIntegrity(creds.Pwd), stun.Fingerprint)
	buf := make([]byte, 0, 1500)
	b.ReportAllocs()
	for b.Loop() {
		a.HandlePacket(epoch, local, remote, check.Raw)
		if _, _, _, ok := a.PollWrite(epoch, buf); !ok {
			b.Fatal("not answered")
		}
	}
}

func BenchmarkPerDatagram(b *testing.B) {
	w := newWorld(b, 1, Config{}, Config{})
	w.base(0, "192.0.2.1:1000")
	w.base(1, "192.0.2.2:2000")
	w.join(simnet.Config{Delay: time.Millisecond})
	w.introduce()
	w.run(time.Second)
	a := w.agents[0]
	l, r, _ := a.Route()
	b.ReportAllocs()
	for b.Loop() {
		if !a.Accepts(l, r) {
			b.Fatal("not accepted")
		}
		a.HandleData(w.now, l, r)
		a.PollTimeout()
	}
}
