package dtls

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// TestReplayWindow compares the window with a plain set.
func TestReplayWindow(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var w replayWindow
		seen := map[uint64]bool{}
		base := uint64(rng.Int64N(1 << 40))
		if seed%2 == 0 {
			base = 0
		}
		top := uint64(0)
		for range 2000 {
			seq := base + uint64(rng.IntN(3*replayBits))
			if rng.IntN(50) == 0 {
				base += uint64(rng.IntN(3 * replayBits))
			}
			want := !seen[seq] && (seq >= top || top-seq <= replayBits)
			if got := w.fresh(seq); got != want {
				t.Fatalf("seed %d: %d with top %d is fresh %v, want %v", seed, seq, top, got, want)
			}
			if want {
				w.mark(seq)
				seen[seq] = true
				top = max(top, seq+1)
			}
		}
	}
}

// TestReassembly: fragments of any cut, in any order, doubled, give the messages in order, whole.
func TestReassembly(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		type piece struct {
			h messageHeader
			b []byte
		}
		var pieces []piece
		var want [][]byte
		for seq := range uint16(maxAhead) {
			body := make([]byte, rng.IntN(3000))
			for i := range body {
				body[i] = byte(rng.Uint32())
			}
			want = append(want, wholeMessage(typeCertificate, seq, body))
			for range 1 + rng.IntN(2) {
				for at := 0; at < len(body) || at == 0; {
					n := min(1+rng.IntN(800), len(body)-at)
					pieces = append(pieces, piece{messageHeader{typeCertificate, len(body), seq, at, n}, body[at : at+n]})
					if at += n; len(body) == 0 {
						break
					}
				}
			}
		}
		rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		var r reassembly
		must := func(ok bool, format string, args ...any) {
			if !ok {
				t.Fatalf(format, args...)
			}
		}
		var got [][]byte
		for _, p := range pieces {
			if res := r.add(epochPlain, p.h, p.b); res != fragmentTaken && res != fragmentOld {
				t.Fatalf("seed %d: %+v gives %d", seed, p.h, res)
			}
			r.check(must)
			for m, ok := r.whole(r.next); ok; m, ok = r.whole(r.next) {
				got = append(got, m.raw)
				r.accept(m.seq)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d messages, want %d", seed, len(got), len(want))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("seed %d: message %d differs", seed, i)
			}
		}
	}
}

// TestFragmentsMustAgree: of fragments that contradict each other the later ones count, whole, and nothing of the earlier.
func TestFragmentsMustAgree(t *testing.T) {
	var r reassembly
	add := func(length, at int, b string) fragmentResult {
		return r.add(epochPlain, messageHeader{typeCertificate, length, 0, at, len(b)}, []byte(b))
	}
	if add(6, 0, "abc") != fragmentTaken || add(6, 1, "bcd") != fragmentTaken {
		t.Fatal("fragments that agree")
	}
	if add(6, 3, "xyz") != fragmentConflicting || add(7, 0, "abc") != fragmentConflicting || add(6, 3, "def") != fragmentConflicting {
		t.Fatal("fragments that do not")
	}
	if _, ok := r.whole(r.next); ok {
		t.Fatal("a message of two origins")
	}
	if add(6, 0, "abc") != fragmentTaken {
		t.Fatal("the rest of the last one's")
	}
	if m, ok := r.whole(r.next); !ok || string(m.body()) != "abcdef" {
		t.Fatalf("%q", m.raw)
	}
	h := messageHeader{typeFinished, 6, 1, 0, 6}
	if r.add(epochPlain, h, []byte("sealed")) != fragmentTaken || r.add(epochProtected, h, []byte("sealed")) != fragmentConflicting ||
		r.add(epochPlain, h, []byte("forged")) != fragmentConflicting {
		t.Fatal("epochs are told apart")
	}
	r.accept(r.next)
	if m, ok := r.whole(r.next); !ok || string(m.body()) != "sealed" || m.epoch != epochProtected {
		t.Fatalf("%q of epoch %d: what is authenticated counts", m.raw, m.epoch)
	}
}

// TestDeterminism: the same inputs give the same datagrams, to the bit.
func TestDeterminism(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		trace := func() (out []byte) {
			p := newPair(t, pairConfig{version: version, seed: 7, net: simnet.Config{Delay: 5 * time.Millisecond, Loss: 0.2}})
			p.log = func(_ int, b []byte) { out = append(out, b...) }
			p.start()
			p.wantConnected("")
			p.ends[0].Close(p.now)
			p.drain()
			return out
		}
		if a, b := trace(), trace(); !bytes.Equal(a, b) || len(a) == 0 {
			t.Error("two runs differ")
		}
		if a, b := mustGenerate(9), mustGenerate(9); !bytes.Equal(a.Chain[0], b.Chain[0]) {
			t.Error("two certificates of the same randomness differ")
		}
		if a, b := mustGenerate(9), mustGenerate(10); bytes.Equal(a.Chain[0], b.Chain[0]) {
			t.Error("two certificates of different randomness are the same")
		}
	})
}

// TestClose: close_notify is authenticated and answered, nothing leaves after it, and closing twice is closing once.
func TestClose(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for who := range 2 {
			p := newPair(t, pairConfig{version: version, net: quick})
			p.start()
			p.wantConnected("")
			p.settle()
			p.ends[who].Close(p.now)
			p.ends[who].Close(p.now)
			sent := p.sent
			p.drain()
			p.settle()
			if p.sent != [2]int{sent[0] + 1, sent[1] + 1} {
				t.Errorf("sent %v, then %v", sent, p.sent)
			}
			for i, c := range p.ends {
				if c.State() != StateClosed {
					t.Errorf("end %d is %v", i, c.State())
				}
				if b := c.Seal(make([]byte, 40), 0); b != nil {
					t.Errorf("end %d seals after the end", i)
				}
				c.HandleDatagram(p.now, []byte("late"))
				c.HandleTimeout(p.now)
				c.Start(p.now)
				c.SetFingerprints(nil)
				c.check()
				if _, ok := c.PollWrite(p.now, nil); ok {
					t.Errorf("end %d sends after the end", i)
				}
				if c.Stats().DroppedInactive == 0 {
					t.Errorf("end %d does not count what comes after the end", i)
				}
			}
		}
	})
}

// TestCloseAnywhere closes an end after each step of a handshake, and sees that nothing is left to do.
func TestCloseAnywhere(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for who := range 2 {
			for steps := range 10 {
				p := newPair(t, pairConfig{version: version, net: quick})
				for n := range steps {
					if n == 0 {
						p.start()
					} else {
						p.step()
					}
				}
				p.ends[who].Close(p.now)
				p.drain()
				if !p.ends[who].PollTimeout().IsZero() {
					t.Errorf("after %d steps: timeout at %v", steps, p.ends[who].PollTimeout())
				}
				p.settle()
				if p.ends[who].State() != StateClosed {
					t.Errorf("after %d steps: %v", steps, p.ends[who].State())
				}
			}
		}
	})
}

// TestServerClosesWithItsLastFlight: the close_notify leaves behind the flight without which the client could not read it.
func TestServerClosesWithItsLastFlight(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		closed := false
		p.start()
		for !closed && p.wire.InFlight() > 0 {
			p.now = p.wire.Next()
			for to, b, ok := p.wire.Receive(p.now); ok; to, b, ok = p.wire.Receive(p.now) {
				p.ends[to].HandleDatagram(p.now, b)
				if p.ends[1].State() == StateConnected && !closed {
					closed = true
					p.ends[1].Close(p.now)
				}
				p.drain()
			}
		}
		p.settle()
		if len(p.events[0]) != 2 || p.events[0][0].Type != EventConnected || p.events[0][1].Type != EventClosed {
			t.Errorf("client's events: %v", p.events[0])
		}
	})
}

// TestSealNeedsConnection: sealing before the peer is verified is a mistake of ours, not a packet.
func TestSealNeedsConnection(t *testing.T) {
	wantBug := func(name string, f func()) {
		t.Helper()
		defer func() {
			if r, ok := recover().(string); !ok || !strings.HasPrefix(r, "BUG: ") {
				t.Errorf("%s: recovered %v", name, r)
			}
		}()
		f()
	}
	p := newPair(t, pairConfig{net: quick, noFingerprints: true})
	c := p.ends[0]
	wantBug("new", func() { c.Seal(make([]byte, 40), 0) })
	p.start()
	wantBug("connecting", func() { c.Seal(make([]byte, 40), 0) })
	p.settle()
	wantBug("complete, not verified", func() { c.Seal(make([]byte, 40), 0) })
	c.SetFingerprints(mustFingerprint(serverCert))
	wantBug("too short", func() { c.Seal(make([]byte, 20), 0) })
	wantBug("too long", func() { c.Seal(make([]byte, 21+maxPlaintext+1), 0) })
	if b := c.Seal(make([]byte, 5+21), 5); len(b) != 5+21+16 {
		t.Errorf("an empty record has %d bytes", len(b))
	}
}

// TestSequenceExhausted: RFC 6347 section 4.1: "implementations MUST either abandon an association or rehandshake prior to allowing
// the sequence number to wrap".
func TestSequenceExhausted(t *testing.T) {
	p := newPair(t, pairConfig{net: quick})
	p.start()
	p.wantConnected("")
	p.settle()
	p.ends[0].write.next = maxSequence - 1
	p.send(0, "the last")
	if b := p.ends[0].Seal(make([]byte, 40), 0); b != nil {
		t.Error("sealed one more")
	}
	p.drain()
	p.settle()
	p.wantData(1, "the last record", "the last")
	if err := p.wantFailed(0, nil, ""); !errors.Is(err, ErrSequenceExhausted) {
		t.Error(err)
	}
	if p.ends[1].State() != StateClosed {
		t.Errorf("peer is %v", p.ends[1].State())
	}
}

// TestConfig: everything that is wrong is told at once.
func TestConfig(t *testing.T) {
	_, err := New(Config{
		SRTPProfiles: []SRTPProfile{99}, CipherSuites: []uint16{0x1304}, MTU: 10, InitialRTO: -1, HandshakeTimeout: -1, KeyLife: maxSealed13 + 1,
	})
	for _, want := range []string{"Rand", "Certificate", "SRTPProfiles", "CipherSuites", "MTU", "RTO", "HandshakeTimeout", "KeyLife"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not tell of %s: %v", want, err)
		}
	}
	ok := Config{Rand: seeded(1), Certificate: clientCert}
	if _, err := New(ok); err != nil {
		t.Error(err)
	}
	ok.Certificate = Certificate{Chain: clientCert.Chain, PrivateKey: serverCert.PrivateKey}
	if _, err := New(ok); err == nil {
		t.Error("a certificate with another's key")
	}
}

// TestNoRandomness: an end that cannot make secrets fails, before and after the peer has spoken.
func TestNoRandomness(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for who := range 2 {
			for _, n := range []int64{0, 10, 33} {
				limit := func(cfg *Config) { cfg.Rand = io.LimitReader(seeded(1), n) }
				pc := pairConfig{version: version, net: quick, client: limit}
				if who == 1 {
					pc = pairConfig{version: version, net: quick, server: limit}
				}
				p := newPair(t, pc)
				p.start()
				p.wantFailed(who, nil, "no randomness")
			}
		}
	})
}

// TestSRTPNegotiation: the server's order counts, and use_srtp may be off at either end.
func TestSRTPNegotiation(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for _, tc := range []struct {
			client, server []SRTPProfile
			want           SRTPProfile
		}{
			{nil, nil, SRTPAEADAES128GCM},
			{[]SRTPProfile{SRTPAES128CMHMACSHA1_80, SRTPAEADAES256GCM}, nil, SRTPAEADAES256GCM},
			{nil, []SRTPProfile{SRTPAES128CMHMACSHA1_32}, SRTPAES128CMHMACSHA1_32},
			{[]SRTPProfile{SRTPAEADAES128GCM}, []SRTPProfile{SRTPAEADAES256GCM}, 0},
			{[]SRTPProfile{}, nil, 0},
			{nil, []SRTPProfile{}, 0},
		} {
			p := newPair(t, pairConfig{version: version,
				net:    quick,
				client: func(cfg *Config) { cfg.SRTPProfiles = tc.client },
				server: func(cfg *Config) { cfg.SRTPProfiles = tc.server },
			})
			p.start()
			p.wantConnected("")
			for i, c := range p.ends {
				if got, ok := c.SRTPProfile(); got != tc.want || ok != (tc.want != 0) {
					t.Errorf("%v and %v: end %d has %#x", tc.client, tc.server, i, got)
				}
			}
		}
	})
}

// TestRTO: SetRTT's bounds, and doubling up to the cap: from the first timeout on, or from the fourth where SetRTT has told the time.
func TestRTO(t *testing.T) {
	p := newPair(t, pairConfig{net: quick})
	c := p.ends[0]
	want := func(sends int, want time.Duration) {
		c.flight.sends = sends
		if got := c.flight.rto(); got != want {
			t.Errorf("transmission %d: RTO %v, want %v", sends, got, want)
		}
	}
	want(1, minRTO)
	want(2, 2*minRTO)
	c.SetRTT(100 * time.Millisecond)
	want(1, 150*time.Millisecond)
	want(4, 150*time.Millisecond)
	want(5, 300*time.Millisecond)
	want(6, 600*time.Millisecond)
	for _, tc := range []struct{ rtt, want time.Duration }{
		{0, minRTO}, {10 * time.Millisecond, minRTO}, {40 * time.Millisecond, 60 * time.Millisecond}, {time.Minute, 3 * time.Second},
	} {
		c.SetRTT(tc.rtt)
		c.flight.sends = 1
		if got := c.flight.rto(); got != tc.want {
			t.Errorf("RTT %v: RTO %v, want %v", tc.rtt, got, tc.want)
		}
		c.flight.sends = 100
		if got := c.flight.rto(); got != 3*time.Second {
			t.Errorf("RTT %v: RTO %v after many", tc.rtt, got)
		}
		c.flight.sends = 0
	}
}

// TestUnreadData: what is not polled before the next datagram is lost, and counted.
func TestUnreadData(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		p.start()
		p.wantConnected("")
		p.settle()
		var both []byte
		for _, msg := range []string{"a", "b", "c"} {
			both = append(both, p.seal(0, msg)...)
		}
		p.ends[1].HandleDatagram(p.now, both)
		if b, ok := p.ends[1].PollData(); !ok || string(b) != "a" {
			t.Errorf("%q", b)
		}
		p.ends[1].HandleDatagram(p.now, nil)
		if b, ok := p.ends[1].PollData(); ok || p.ends[1].Stats().DroppedUnread != 2 {
			t.Errorf("%q, %+v", b, p.ends[1].Stats())
		}
	})
}
