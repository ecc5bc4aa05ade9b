package peer

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// roughPath is a path whose faults are drawn from the seed: up to 30 % loss, duplicates, reordering, jitter, and an MTU of 1280 bytes.
func roughPath(seed uint64) simnet.Config {
	rng := rand.New(rand.NewPCG(seed, 4))
	return simnet.Config{
		Delay:        time.Duration(1+rng.IntN(100)) * time.Millisecond,
		Jitter:       time.Duration(1+rng.IntN(20)) * time.Millisecond,
		Loss:         rng.Float64() * 0.3,
		Duplicate:    rng.Float64() * 0.3,
		Reorder:      rng.Float64() * 0.3,
		ReorderDelay: time.Duration(1+rng.IntN(100)) * time.Millisecond,
		MTU:          1280,
	}
}

// Over any path that is not down, two cores connect, all reliable messages arrive, once each, those of an ordered channel in their order, and
// then the channels close at both ends. What was counted against the receive window is all given back.
func TestRoughPaths(t *testing.T) {
	seeds := uint64(500)
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		roughTransfer(t, seed)
	}
}

func roughTransfer(t *testing.T, seed uint64) {
	// In 30 s one handshake in some thousand does not get through.
	w := newWorld(t, seed, roughPath(seed), Config{AnsweringRole: answering(seed&1 != 0), HandshakeTimeout: 2 * time.Minute})
	if seed&2 != 0 {
		w.segments = 1
	}
	const messages = 12
	unordered := reliable("unordered")
	unordered.Ordered = false
	for i := range w.ear {
		// Each end sends on the channels that the other has made, as soon as it hears of them.
		w.ear[i].on = func(e Event) {
			if e.Kind == EventChannelIncoming {
				for n := range messages {
					w.send(i, e.Channel, body(n, 1<<w.rng.IntN(14)))
				}
			}
		}
		w.open(i, reliable("ordered"))
		w.open(i, unordered)
	}
	w.negotiate(int(seed >> 2 & 1))
	w.runUntil("all messages at both ends", 10*time.Minute, func() bool {
		return len(w.ear[0].got) == 2*messages && len(w.ear[1].got) == 2*messages
	})
	for i, h := range w.ear {
		next := map[Handle]int{}
		seen := map[Handle]map[int]bool{}
		for _, e := range h.got {
			n, ok := bodyNumber(e.Data)
			info := w.core[i].channels
			c, known := info.Info(e.Channel)
			if seen[e.Channel] == nil {
				seen[e.Channel] = map[int]bool{}
			}
			if !ok || !known || seen[e.Channel][n] || c.Ordered && n != next[e.Channel] {
				w.fatalf("%c gets message %d of channel %d, valid %v, after %v", 'A'+i, n, e.Channel, ok, seen[e.Channel])
			}
			seen[e.Channel][n] = true
			next[e.Channel]++
		}
	}
	for i, c := range w.core {
		for _, h := range w.ear[i].opened[:2] {
			c.CloseChannel(w.now, h)
		}
	}
	w.runUntil("all channels closed", 10*time.Minute, func() bool {
		return w.allClosed(0) && w.allClosed(1)
	})
	w.settle()
	for i, c := range w.core {
		if held := c.held(); held != 0 {
			w.fatalf("%c: SCTP still holds %d", 'A'+i, held)
		}
		w.core[i].Close(w.now)
	}
	w.run(time.Minute)
}

func (w *world) allClosed(who int) bool {
	h := w.ear[who]
	for _, ch := range h.opened {
		if h.state[ch] != EventChannelClosed {
			return false
		}
	}
	return len(h.opened) == 4
}

// The same seed gives the same datagrams and the same events, to the byte and to the nanosecond; another seed gives others.
func TestSameSeedSameCapture(t *testing.T) {
	capture := func(seed, path uint64) string {
		hash := sha256.New()
		w := newWorld(t, seed, roughPath(path))
		w.see = func(from int, b []byte) bool {
			fmt.Fprintf(hash, "%v %d %x\n", w.now.UnixNano(), from, b)
			return true
		}
		for i := range w.ear {
			w.ear[i].on = func(e Event) {
				fmt.Fprintf(hash, "%v %d %s\n", w.now.UnixNano(), i, describeEvent(e))
				if e.Kind == EventChannelIncoming || e.Kind == EventChannelOpen {
					for n := range 20 {
						w.send(i, e.Channel, body(n, 1000*n))
					}
				}
			}
			w.open(i, reliable("chat"))
		}
		w.negotiate(0)
		w.run(20 * time.Second)
		w.core[0].Close(w.now)
		w.run(time.Second)
		return fmt.Sprintf("%x", hash.Sum(nil))
	}
	for seed := range uint64(20) {
		first := capture(seed, seed)
		if again := capture(seed, seed); again != first {
			t.Fatalf("seed %d: two captures differ", seed)
		}
		if other := capture(seed+1000, seed); other == first {
			t.Fatalf("seed %d: another seed gives the same capture", seed)
		}
	}
}

// PollWrite may be told any number of segments: the datagrams are the same, however they are put together.
func TestRunsAreOnlyPackaging(t *testing.T) {
	for seed := range uint64(10) {
		var first []string
		for _, segments := range []int{64, 1, 2, 7} {
			w := newWorld(t, seed, simnet.Config{Delay: 20 * time.Millisecond})
			w.segments = segments
			a, _ := w.connect()
			var sizes []string
			w.see = func(from int, b []byte) bool {
				sizes = append(sizes, fmt.Sprintf("%v %c %d", w.now.Sub(epoch), 'A'+from, len(b)))
				return true
			}
			for n := range 100 {
				w.send(0, a, body(n, w.rng.IntN(5000)))
			}
			w.runUntil("messages", time.Minute, func() bool { return len(w.ear[1].got) == 100 })
			w.settle()
			slices.Sort(sizes)
			if first == nil {
				first = sizes
			} else if !slices.Equal(first, sizes) {
				w.fatalf("with %d segments there are %d datagrams, and with 64 there are %d", segments, len(sizes), len(first))
			}
		}
	}
}

// New says what is wrong with a Config, and panics on nothing.
func TestNewRefuses(t *testing.T) {
	own, other := certificates()[0], certificates()[1]
	good := Config{Rand: seeded(1, 1), Certificate: own}
	for name, spoil := range map[string]func(*Config){
		"no Rand":                    func(c *Config) { c.Rand = nil },
		"Rand that fails":            func(c *Config) { c.Rand = io.LimitReader(seeded(1, 1), 3) },
		"no certificate":             func(c *Config) { c.Certificate = Certificate{} },
		"no key":                     func(c *Config) { c.Certificate = Certificate{Chain: own.Chain} },
		"another's key":              func(c *Config) { c.Certificate = Certificate{Chain: own.Chain, PrivateKey: other.PrivateKey} },
		"garbage certificate":        func(c *Config) { c.Certificate = Certificate{Chain: [][]byte{{1, 2, 3}}, PrivateKey: own.PrivateKey} },
		"negative timeout":           func(c *Config) { c.HandshakeTimeout = -1 },
		"negative message size":      func(c *Config) { c.MaxMessageSize = -1 },
		"buffer less than a message": func(c *Config) { c.ReceiveBuffer, c.MaxMessageSize = 20_000, 20_000 },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

// What the application sends keeps the path watched closely; what SCTP sends by itself, as the HEARTBEATs that some peers send every 30 s, does not.
func TestHeartbeatIsNoUse(t *testing.T) {
	for _, data := range []bool{false, true} {
		w := newWorld(t, 1, lan, Config{HeartbeatInterval: 20 * time.Second}, Config{})
		a, b := w.connect()
		w.run(time.Minute)
		asked := w.core[1].Report().ICE.Pairs[0].ConsentRequestsSent
		for i := range 12 {
			if data {
				w.send(i&1, [2]Handle{a, b}[i&1], body(i, 10))
			}
			w.run(20 * time.Second)
		}
		// Four minutes have sixteen intervals of an idle path, and 48 of one in use.
		asked = w.core[1].Report().ICE.Pairs[0].ConsentRequestsSent - asked
		if least, most := uint64(13), uint64(20); !data && (asked < least || asked > most) {
			t.Errorf("%d checks of an idle path in four minutes", asked)
		}
		if least, most := uint64(40), uint64(60); data && (asked < least || asked > most) {
			t.Errorf("%d checks in four minutes of a path in use", asked)
		}
	}
}

// Whenever data is sent and not answered it takes five seconds until the state says so.
func TestUnansweredDataIsNoticed(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorld(t, seed, lan)
		a, _ := w.connect()
		w.run(3*time.Second + time.Duration(seed)*100*time.Millisecond)
		for i := range w.wire.Pipes {
			w.wire.Pipes[i].SetConfig(simnet.Config{Down: true})
		}
		w.run(20 * time.Millisecond) // what was under way arrives
		w.send(0, a, body(1, 10))
		w.runUntil("disconnected", 5*time.Second, func() bool { return w.ear[0].connection() == Disconnected })
	}
}

// A connection that has never carried data gives back what its setup has left as well.
func TestRestWithoutChannels(t *testing.T) {
	w := newWorld(t, 1, lan, Config{AlwaysData: true})
	w.negotiate(0)
	w.run(10 * time.Second)
	for i, c := range w.core {
		if w.ear[i].connection() != Connected || !c.rest.done {
			t.Errorf("%c is %s, at rest: %v", 'A'+i, w.ear[i].connection().name(), c.rest.done)
		}
	}
}
