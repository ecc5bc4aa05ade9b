package peer

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/simnet"
)

// sealedRecords takes the DTLSCiphertexts of a datagram apart (RFC 9147 section 4; all of ours have a length), and gives the low bits of their epochs.
func sealedRecords(b []byte) (epochs []byte) {
	for len(b) >= unifiedHeader && b[0]>>5 == 1 {
		epochs = append(epochs, b[0]&3)
		b = b[unifiedHeader+int(binary.BigEndian.Uint16(b[3:])):]
	}
	return epochs
}

// The keys of DTLS 1.3 are changed while both ends have more to send than the path takes: as often as they wear out, and nothing is late, lost or
// refused for it.
func TestKeyUpdateUnderLoad(t *testing.T) {
	const messages, life = 8000, 1000
	for _, loss := range []float64{0, 0.03} {
		for seed := range uint64(4) {
			// The receive window fits into the queue, so what is lost is chosen below.
			path := simnet.Config{Delay: 10 * time.Millisecond, Rate: 8_000_000}
			w := newWorld(t, seed, path, Config{keyLife: life, AnsweringRole: answering(seed&1 != 0), ReceiveBuffer: 24 << 10, MaxMessageSize: 4 << 10})
			a, b := w.connect()
			w.settle()
			rng := rand.New(rand.NewPCG(seed, 5))
			var out, in [2]struct {
				records uint64
				epoch   byte   // its low bits
				updates uint64 // epochs that began
			}
			before := [2]Report{w.core[0].Report(), w.core[1].Report()}
			for i := range out {
				out[i].epoch, in[i].epoch = 3, 3
			}
			w.see = func(from int, b []byte) bool {
				arrives := rng.Float64() >= loss
				for _, epoch := range sealedRecords(b) {
					s, r := &out[from], &in[1-from]
					if s.records++; epoch != s.epoch {
						if epoch != (s.epoch+1)&3 {
							w.fatalf("%c goes from epoch %d to %d, modulo 4", 'A'+from, s.epoch, epoch)
						}
						s.epoch = epoch
						s.updates++
					}
					if arrives {
						r.records++
					}
				}
				return arrives
			}
			send := [2]Handle{a, b}
			next := [2]int{}
			w.runUntil("all messages", 10*time.Minute, func() bool {
				for i, h := range send {
					for ; next[i] < messages && w.core[i].BufferedAmount(h) < 64<<10; next[i]++ {
						w.send(i, h, body(next[i], 1000))
					}
				}
				return len(w.ear[0].got) == messages && len(w.ear[1].got) == messages
			})
			w.settle()
			for i, h := range w.ear {
				for n, e := range h.got {
					if got, ok := bodyNumber(e.Data); !ok || got != n {
						w.fatalf("%c gets message %d, valid: %v, in place of %d", 'A'+i, got, ok, n)
					}
				}
				s, other := w.core[i].Report().DTLS, w.core[1-i].Report().DTLS
				if s.KeyUpdatesOut < messages/life || s.KeyUpdatesOut != other.KeyUpdatesIn || s.KeyUpdatesOut != out[i].updates {
					w.fatalf("%c has changed its keys %d times, the other end knows of %d, the path has seen %d", 'A'+i, s.KeyUpdatesOut, other.KeyUpdatesIn, out[i].updates)
				}
				was := before[i].DTLS
				if most := s.RecordsOut / (life / 4 * 3); s.KeyUpdatesOut > most {
					w.fatalf("%c has changed its keys %d times for %d records", 'A'+i, s.KeyUpdatesOut, s.RecordsOut)
				}
				if got, want := s.RecordsOut-was.RecordsOut, out[i].records; got != want {
					w.fatalf("%c has sent %d records, the path has seen %d", 'A'+i, got, want)
				}
				if got, want := s.RecordsIn-was.RecordsIn, in[i].records; got != want {
					w.fatalf("%c has received %d records, the path has brought %d", 'A'+i, got, want)
				}
				if n := s.DroppedMalformed + s.DroppedEpoch + s.DroppedReplay + s.DroppedBadMAC + s.DroppedOverflow + s.DroppedUnexpected + s.DroppedUnread; n > 0 {
					w.fatalf("%c has dropped %d records: %+v", 'A'+i, n, s)
				}
				if loss == 0 && s.Retransmissions > 0 {
					w.fatalf("%c repeats %d flights, and nothing is lost", 'A'+i, s.Retransmissions)
				}
				if w.core[i].stats.DTLSError != nil || h.connection() != Connected {
					w.fatalf("%c is %s: %v", 'A'+i, h.connection().name(), w.core[i].stats.DTLSError)
				}
			}
		}
	}
}

// When no KeyUpdate gets through the connection ends before its keys wear out: it has failed at once, knows why, and tells the other end.
func TestKeysWearOut(t *testing.T) {
	for _, segments := range []int{64, 1} {
		keysWearOut(t, segments)
	}
}

func keysWearOut(t *testing.T, segments int) {
	w := newWorld(t, 1, lan, Config{keyLife: 100})
	w.segments = segments
	a, _ := w.connect()
	w.settle()
	w.see = func(from int, b []byte) bool {
		const keyUpdate = 12 + 1 + 1 + 16 // header, body, content type, tag: no SCTP packet has that size
		return from == 1 || len(b) < unifiedHeader || b[0]>>5 != 1 || binary.BigEndian.Uint16(b[3:]) != keyUpdate
	}
	for n := range 200 {
		w.send(0, a, body(n, 1000))
	}
	w.unread = true
	w.runUntil("the end", time.Minute, func() bool { return w.core[0].Report().DTLSState == dtls.StateFailed })
	sent := w.sent
	if w.flush(); w.sent != sent {
		t.Error("what it says of that is left behind")
	}
	w.run(lan.Delay)
	if state := w.core[1].Report().DTLSState; state != dtls.StateClosed {
		t.Errorf("the other end is not told at once: it is %v", state)
	}
	w.unread = false
	w.flush()
	if r := w.core[0].Report(); !errors.Is(r.DTLSError, dtls.ErrSequenceExhausted) || r.DTLS.KeyUpdatesOut > 0 || r.DTLS.RecordsOut < 100 {
		t.Errorf("it has ended with %v: %+v", r.DTLSError, r.DTLS)
	}
	if a, b := w.ear[0].connection(), w.ear[1].connection(); a != Failed || b != Closed {
		t.Errorf("A is %s, B is %s", a.name(), b.name())
	}
	for n, e := range w.ear[1].got {
		if got, ok := bodyNumber(e.Data); !ok || got != n {
			t.Errorf("message %d is %d, valid: %v", n, got, ok)
		}
	}
}
