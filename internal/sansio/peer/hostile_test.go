package peer

import (
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// The peer itself, authenticated and verified, is hostile: it seals what it likes.

const (
	ppidDCEP   = 50
	ppidBinary = 53
)

// hostile is a connected world whose B, the DTLS client, sends whatever the test says.
func hostile(t *testing.T, cfg Config) (w *world, s *sniffer, a Handle) {
	s = new(sniffer)
	cfg.KeyLog, cfg.AnsweringRole = &s.keyLog, RoleClient
	w = newWorld(t, 1, lan, cfg)
	w.sniff(s)
	a, _ = w.connect()
	w.settle()
	return w, s, a
}

// attack hands over packets of B, as one burst. B's association does not hear what A answers, B's agent does.
func (w *world) attack(packets ...[]byte) {
	for _, p := range packets {
		w.inject(1, p)
	}
	w.see = func(from int, b []byte) bool { return from == 1 || b[0] <= 3 }
	w.run(11 * time.Millisecond)
	w.see = nil
}

// heap is the memory that the test and what it holds take.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A packet with another verification tag has no effect (RFC 9260 section 8.5): it is of another association.
func TestWrongVerificationTag(t *testing.T) {
	w, s, a := hostile(t, Config{})
	right := s.tag[0]
	for _, tag := range []uint32{0, 1, right + 1, ^right} {
		s.tag[0] = tag
		w.attack(s.packet(0, chunk(chunkAbort, 0, nil)), s.packet(0, chunk(7, 0, []byte{0, 0, 0, 0})), s.packet(0, chunk(14, 0, nil)),
			s.packet(0, s.data(1, 1, 7, ppidBinary, []byte("forged"))))
		s.tsn[1]--
	}
	s.tag[0] = right
	if len(w.ear[0].got) > 0 || w.core[0].ChannelState(a) != ChannelOpen || w.core[0].Report().SCTP.Drops.Tag < 12 {
		t.Errorf("A heard %q; %+v", w.ear[0].log, w.core[0].Report().SCTP.Drops)
	}
	w.send1(a, "hello")
	// The same packets with the right tag do what they say: the forgeries are well made.
	w.attack(s.packet(0, s.data(1, 1, 1, ppidBinary, []byte("true"))))
	if len(w.ear[0].got) != 1 || string(w.ear[0].got[0].Data) != "true" {
		t.Errorf("A got %v", w.ear[0].got)
	}
	w.attack(s.packet(0, chunk(chunkAbort, 0, nil)))
	if w.core[0].ChannelState(a) != ChannelClosed {
		t.Error("ABORT ends nothing")
	}
}

// Wrong ports, wrong checksums, cut packets, chunks of every type with every length: nothing panics, and what waits stays bounded.
func TestSCTPGarbage(t *testing.T) {
	for seed := range uint64(3) {
		w, s, _ := hostile(t, Config{})
		for typ := range 256 {
			var packets [][]byte
			for _, n := range []int{0, 1, 4, 12, 16, 100} {
				v := make([]byte, n)
				for i := range v {
					v[i] = byte(w.rng.Uint32() >> (seed * 8))
				}
				packets = append(packets, s.packet(0, chunk(byte(typ), byte(w.rng.Uint32()), v)))
			}
			p := slices.Clone(packets[2])
			p[len(p)-1] ^= 1
			packets = append(packets, p, packets[3][:15], packets[4][:3])
			if w.core[1].closed || w.core[1].dtls.State() != 2 {
				break
			}
			w.attack(packets...)
			if w.core[0].sctp.State().String() == "closed" { // by an ABORT or the like: begin anew
				w, s, _ = hostile(t, Config{})
			}
		}
	}
}

// What came before the peer's last word, in the same burst or in the same datagram, is delivered. A fatal alert fails the connection, and then
// nothing of it goes on; close_notify closes it.
func TestLastWord(t *testing.T) {
	for _, last := range [][]byte{{2, 80}, {1, 0}} {
		for _, oneDatagram := range []bool{false, true} {
			w, s, a := hostile(t, Config{})
			w.send(0, a, body(0, 5000)) // this is in flight, and will not be acknowledged
			w.core[0].CloseChannel(w.now, w.open(0, reliable("closing")))
			w.flush()
			data := s.seal(1, 23, 1000, s.packet(0, s.data(1, 1, 1, ppidBinary, []byte("before"))))
			alert := s.seal(1, 21, 1001, last)
			c := w.core[0]
			if oneDatagram {
				c.HandleRead(w.now, w.addr[0], w.addr[1], append(data, alert...), 0)
			} else {
				c.HandleRead(w.now, w.addr[0], w.addr[1], data, 0)
				c.HandleRead(w.now, w.addr[0], w.addr[1], alert, 0)
			}
			c.EndBurst(w.now)
			w.flush()
			want := map[byte]ConnectionState{2: Failed, 1: Closed}[last[0]]
			if n := len(w.ear[0].got); n != 1 || w.ear[0].connection() != want || w.ear[0].state[a] != EventChannelClosed {
				t.Errorf("alert %v, in one datagram %v: A heard %q", last, oneDatagram, w.ear[0].log)
			}
			if c.sctp != nil && (c.sctp.State().String() != "closed" || !c.sctp.PollTimeout().IsZero()) {
				t.Errorf("alert %v: SCTP goes on", last)
			}
			w.see = func(from int, b []byte) bool {
				if from == 0 && b[0] > 3 {
					w.fatalf("A sends on")
				}
				return false
			}
			w.run(time.Minute)
		}
	}
}

// dcepOpen is DATA_CHANNEL_OPEN.
func dcepOpen(label, protocol string) []byte {
	b := []byte{3, 0, 1, 0, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(len(label)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(protocol)))
	return append(append(b, label...), protocol...)
}

// A peer opens channels as fast as it can: it is stopped by the receive window when nobody takes the events, and by the number of streams when
// somebody does.
func TestDCEPFlood(t *testing.T) {
	for _, taken := range []bool{false, true} {
		cfg := Config{ReceiveBuffer: 256 << 10, MaxMessageSize: 64 << 10}
		w, s, a := hostile(t, cfg)
		w.ear[0].keep, w.unread = !taken, !taken
		w.unchecked = taken // so many channels take long to check
		before := heap()
		label := strings.Repeat("l", 1000)
		for id := range 20_000 {
			w.inject(1, s.packet(0, s.data(1, uint16(id), 0, ppidDCEP, dcepOpen(label, ""))))
			if id%100 == 0 {
				w.attack()
			}
			if !taken && id > 3000 {
				break
			}
		}
		w.attack()
		channels := len(w.core[0].channels.Handles())
		grown := heap() - before
		t.Logf("taken %v: %d channels, %d KiB", taken, channels, grown>>10)
		if !taken && (channels > 2*cfg.ReceiveBuffer/1000 || grown > 4*cfg.ReceiveBuffer) {
			t.Errorf("%d channels wait in %d KiB", channels, grown>>10)
		}
		// Names are bounded to 16 MiB, each held once by the channel and once by an event that this test keeps.
		if taken && (channels > 65535 || grown > 128<<20) {
			t.Errorf("%d channels in %d KiB", channels, grown>>10)
		}
		w.unread = false
		w.flush()
		if !taken {
			w.ear[0].take(1 << 30)
		}
		if w.core[0].ChannelState(a) != ChannelOpen {
			t.Errorf("A heard at the end %q", w.ear[0].log[len(w.ear[0].log)-1])
		}
		runtime.KeepAlive(w)
	}
}

// One stream is opened and reset over and over while the application sleeps: the events that wait are bounded too.
func TestDCEPOpenAndReset(t *testing.T) {
	w, s, a := hostile(t, Config{ReceiveBuffer: 64 << 10, MaxMessageSize: 16 << 10})
	w.unread, w.unchecked = true, true
	most := 0
	for i := range uint32(1000) {
		w.inject(1, s.packet(0, s.data(1, 0, 0, ppidDCEP, dcepOpen("l", ""))))
		v := binary.BigEndian.AppendUint32([]byte{0, 13, 0, 18}, s.initial[1]+i) // the first request has the number of the first TSN
		v = binary.BigEndian.AppendUint32(v, 0)
		v = binary.BigEndian.AppendUint32(v, s.tsn[1])
		w.inject(1, s.packet(0, chunk(chunkReconfig, 0, append(v, 0, 0))))
		w.run(21 * time.Millisecond) // B's association answers A's requests itself
		most = max(most, w.core[0].events.len())
	}
	// Each opening is charged, so no more than fit into the window wait, with the two events that follow each.
	if limit := 3 * 2 * (64 << 10) / (13 + messageOverhead); most < 1000 || most > limit {
		t.Errorf("%d events wait; %d are the limit", most, limit)
	}
	w.unread, w.unchecked = false, false
	w.flush()
	if w.core[0].ChannelState(a) != ChannelOpen {
		t.Errorf("A heard at the end %q", w.ear[0].log[len(w.ear[0].log)-1])
	}
}

// A peer sends more than the window allows: in order, with gaps, in fragments that never become whole, on all streams out of order. What is held
// stays within twice the receive buffer, as counted and as measured.
func TestFloodBeyondTheWindow(t *testing.T) {
	const buffer = 128 << 10
	payload := make([]byte, 1100)
	for name, next := range map[string]func(s *sniffer, i int) []byte{
		"in order": func(s *sniffer, i int) []byte { return s.data(1, 1, uint16(i+1), ppidBinary, payload) },
		"with gaps": func(s *sniffer, i int) []byte {
			s.tsn[1]++
			return s.data(1, 1, uint16(i+1), ppidBinary, payload)
		},
		"without an end": func(s *sniffer, i int) []byte {
			c := s.data(1, 1, 0, ppidBinary, payload)
			c[1] = 0
			binary.BigEndian.PutUint32(c[16:], uint32(i)) // FSN
			if i == 0 {
				c[1] = 2
			}
			return c
		},
		"fragments with gaps": func(s *sniffer, i int) []byte {
			s.tsn[1]++
			c := s.data(1, 1, 0, ppidBinary, payload)
			c[1] = 0
			binary.BigEndian.PutUint32(c[16:], uint32(2*i+2)) // FSN
			return c
		},
		"order with gaps":   func(s *sniffer, i int) []byte { return s.data(1, 1, uint16(2*i+3), ppidBinary, payload) },
		"on all streams":    func(s *sniffer, i int) []byte { return s.data(1, uint16(i), 1, ppidBinary, payload) },
		"tiny":              func(s *sniffer, i int) []byte { return s.data(1, 1, uint16(i+1), ppidBinary, payload[:1]) },
		"tiny with gaps":    func(s *sniffer, i int) []byte { s.tsn[1]++; return s.data(1, 1, uint16(i+1), ppidBinary, payload[:1]) },
		"for no channel":    func(s *sniffer, i int) []byte { return s.data(1, 7, uint16(i), ppidBinary, payload) },
		"of unknown kind":   func(s *sniffer, i int) []byte { return s.data(1, 1, uint16(i), 4711, payload) },
		"DCEP that is none": func(s *sniffer, i int) []byte { return s.data(1, 1, uint16(i), ppidDCEP, payload) },
	} {
		t.Run(name, func(t *testing.T) {
			w, s, _ := hostile(t, Config{ReceiveBuffer: buffer, MaxMessageSize: 64 << 10})
			w.unread = true
			before, most := heap(), 0
			for i := range 4000 {
				w.inject(1, s.packet(0, next(s, i)))
				if i%50 == 49 {
					w.attack()
					if c := w.core[0]; c.sctp != nil && c.sctp.State().String() == "established" {
						most = max(most, c.held())
					}
				}
			}
			w.attack()
			grown := heap() - before
			t.Logf("most that was held: %d KiB; memory grew by %d KiB; %d events wait", most>>10, grown>>10, w.core[0].events.len())
			if most > 2*buffer || grown > 4*buffer {
				t.Errorf("%d KiB are held, memory grew by %d KiB", most>>10, grown>>10)
			}
			runtime.KeepAlive(w)
		})
	}
}

// Before anything is verified, a peer whose checks are right floods with handshake fragments, records for later, and checks: little is held.
func TestFloodDuringHandshake(t *testing.T) {
	w := newWorld(t, 1, lan)
	w.open(0, reliable("chat"))
	answer := w.answer(1, w.offer(0))
	w.run(15 * time.Millisecond)
	before := heap()
	flood := func() {
		for i := range 20_000 {
			b := make([]byte, 1100)
			for j := range b[:40] {
				b[j] = byte(w.rng.Uint32())
			}
			switch i % 4 {
			case 0: // a fragment of a message of 16 MiB
				b = plain(22, append([]byte{byte(1 + i%20), 0xff, 0xff, 0xff, byte(i >> 8), byte(i), 0, byte(i >> 8), byte(i), 0, 4, 0x28}, b[:1064]...))
			case 1: // a fragment of a message far ahead
				b = plain(22, append([]byte{11, 0, 0x10, 0, byte(i >> 8), byte(i), 0, 0, 0, 0, 4, 0x28}, b[:1064]...))
			case 2: // a record of the next epoch
				b = plain(23, b)
				b[4] = 1
			case 3:
				b = plain(byte(20+i%44), b)
			}
			w.core[0].HandleRead(w.now, w.addr[0], w.addr[1], b, 0)
		}
		w.core[0].EndBurst(w.now)
		w.flush()
	}
	flood()
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("memory grew by %d KiB", grown>>10)
	}
	w.accept(0, answer)
	flood()
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("memory grew by %d KiB", grown>>10)
	}
	w.run(time.Minute)
	// Whoever can send with the peer's address can spoil a handshake, but not more.
	if s := w.ear[0].connection(); s != Failed && s != Connected {
		t.Errorf("A is %s", s.name())
	}
	runtime.KeepAlive(w)
}

// Requests from the peer are answered one by one, not remembered: what is owed stays bounded when nobody polls.
func TestUnpolledAnswers(t *testing.T) {
	w, s, _ := hostile(t, Config{})
	pwd := w.core[0].ice.LocalCredentials().Pwd
	before := heap()
	head, _ := w.core[1].dtls.Overhead()
	for range 20_000 {
		w.core[0].HandleRead(w.now, w.addr[0], w.addr[1], w.request(0, stun.NewShortTermIntegrity(pwd)), 0)
		heartbeat := s.packet(0, chunk(4, 0, append([]byte{0, 1, 1, 0}, make([]byte, 252)...)))
		w.core[0].HandleRead(w.now, w.addr[0], w.addr[1], w.core[1].dtls.Seal(append(make([]byte, head), heartbeat...), 0), 0)
	}
	if grown := heap() - before; grown > 2<<20 {
		t.Errorf("memory grew by %d KiB", grown>>10)
	}
	runtime.KeepAlive(w)
}
