package sim

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// Whatever is done to a world, its parts agree with each other, and after Close nothing is open.
func FuzzWorld(f *testing.F) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		ops := make([]byte, 4*rng.IntN(150))
		for i := range ops {
			ops[i] = byte(rng.Uint32())
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		// What a path has spread is joined for half of the inputs.
		w := New(Config{Seed: 1, Moderation: time.Duration(len(ops)/4%2) * ms, Link: Link{Delay: ms, Jitter: ms, Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Rate: 1e7, MTU: 1400}})
		kind := NATKind{Mapping: AddressDependent, Filtering: AddressPortDependent, Hairpin: true, Timeout: time.Second}
		n1 := w.NAT("n1", kind, netip.MustParseAddr("203.0.113.1"))
		n2 := n1.NAT("n2", Symmetric, netip.MustParseAddr("100.64.0.1"))
		hosts := []*Host{w.Host("a"), w.Host("b"), n1.Host("c"), n1.Host("d"), n2.Host("e")}
		var peers []*peer
		var extra []runtime.UDPSocket
		for i, h := range hosts {
			p := on(t, h)
			p.onTurn = func(now time.Time) runtime.Next { return runtime.Next{Events: p.turns%3 == 0, Done: p.turns == 20+i} }
			p.onDispatch = func() { w.Sleep(time.Duration(p.turns%7) * ms) }
			p.onReceive = func(d *runtime.Datagrams) {
				if p.turns%2 == 0 {
					p.send(d.Remote, "answer")
				}
			}
			peers = append(peers, p)
		}
		next := byte(1)
		for ; len(ops) >= 4; ops = ops[4:] {
			a, b, arg := int(ops[1])%len(peers), int(ops[2])%len(peers), ops[3]
			p, q := peers[a], peers[b]
			switch ops[0] % 14 {
			case 0, 1, 2:
				p.send(q.addr(), string(make([]byte, int(arg)*6)))
			case 3: // to any port of anybody's address
				to := []netip.Addr{n1.public, n2.public, q.addr().Addr(), p.addr().Addr()}[arg%4]
				p.send(netip.AddrPortFrom(to, uint16(arg)*257), "stray")
			case 4:
				p.s.Send(&runtime.Datagrams{Remote: q.addr(), Data: make([]byte, 600), SegmentSize: int(arg)})
			case 5:
				local := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified(), p.addr().Addr(), q.addr().Addr()}[arg%4]
				if s, err := p.ListenUDP(context.Background(), netip.AddrPortFrom(local, uint16(arg/4)*1000)); err == nil {
					extra = append(extra, s)
				}
			case 6:
				if len(extra) > 0 {
					extra[int(arg)%len(extra)].Close()
				}
			case 7:
				w.Partition(hosts[a], hosts[b], arg%2 == 0)
			case 8:
				w.SetLink(hosts[a], hosts[b], Link{Delay: time.Duration(arg) * ms})
			case 9:
				n1.Forget()
			case 10:
				hosts[a].AddAddr(netip.AddrFrom4([4]byte{192, 0, 2, next}))
				next++
			case 11:
				if addrs := hosts[a].Addrs(); len(addrs) > 1 {
					hosts[a].RemoveAddr(addrs[int(arg)%len(addrs)])
				}
			case 12:
				hosts[a].FailSockets(runtime.ErrClosed)
			case 13:
				p.Wake()
				p.WakeAt(w.Now().Add(time.Duration(arg) * ms))
				w.Run(time.Duration(b) * ms)
			}
			w.Step()
			w.check()
			if next == 255 {
				break
			}
		}
		w.Run(time.Second)
		w.check()
		w.Close()
		w.check()
		if _, sockets := w.Open(); sockets != 0 {
			t.Errorf("%d sockets are open after Close", sockets)
		}
		for _, p := range peers {
			if p.released > 1 || p.released == 1 && p.turns < 20 {
				t.Errorf("a loop is released %d times after %d turns", p.released, p.turns)
			}
		}
	})
}
