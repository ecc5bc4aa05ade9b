package ice

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/sansrtc/rtc/internal/simnet"
)

// FuzzPacket gives bytes to an agent whose passwords the fuzzer does not know, and, signed, to one whose passwords it does.
func FuzzPacket(f *testing.F) {
	for _, class := range []stun.MessageClass{stun.ClassRequest, stun.ClassSuccessResponse, stun.ClassErrorResponse} {
		f.Add(uint8(class), []byte("\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\x00\x25\x00\x00"), uint16(2000))
		f.Add(uint8(class), []byte("\xc0\x71\x00\x04\x12\x34\x56\x78\xc0\x70\x00\x0d\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), uint16(2000))
		f.Add(uint8(class), []byte("\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\x00\x09\x00\x04\x00\x00\x04\x57"), uint16(2000))
	}
	f.Fuzz(func(t *testing.T, class uint8, attributes []byte, port uint16) {
		p, check := newEmbedder(t, Config{Controlling: class&4 != 0}, datagram(1, 100), datagram(2, 900))
		p.packets()
		before := p.snapshot()
		p.send(attributes)
		raw := append(check.raw[:headerSize:headerSize], attributes...)
		binary.BigEndian.PutUint16(raw[2:], uint16(len(attributes)))
		p.send(raw)
		if s := p.snapshot(); s.State != before.State || len(s.Remote) != 1 || s.Pairs[0].State != before.Pairs[0].State {
			t.Fatalf("unsigned bytes have an effect: %+v", s)
		}
		p.wantIdle("unsigned bytes")

		m := stun.Message{Type: stun.NewType(stun.MethodBinding, stun.MessageClass(class&3)), TransactionID: check.m.TransactionID}
		m.WriteHeader()
		key := p.creds.Pwd
		if m.Type == stun.BindingRequest {
			key = p.a.LocalCredentials().Pwd
			m.Add(stun.AttrUsername, []byte(p.a.LocalCredentials().Ufrag+":"+p.creds.Ufrag))
		}
		m.Raw = append(m.Raw, attributes[:len(attributes)&^3]...)
		m.Length = uint32(len(m.Raw) - headerSize)
		m.WriteLength()
		if m.Decode() != nil || stun.NewShortTermIntegrity(key).AddTo(&m) != nil || stun.Fingerprint.AddTo(&m) != nil {
			return
		}
		p.sendFrom(netip.AddrPortFrom(p.addr.Addr(), port), m.Raw)
		if n := len(p.packets()); n > 2 {
			t.Fatalf("one packet is answered by %d", n)
		}
		for range 10 {
			p.advance(10 * time.Second)
			p.packets()
		}
	})
}

// FuzzOperations does what the fuzzer says to two agents on a network, with check after each step, and wants that they find each other in
// the end.
func FuzzOperations(f *testing.F) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 5))
		script := make([]byte, 60)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(seed, script)
	}
	f.Fuzz(operate)
}

// TestOperations is the same with random scripts.
func TestOperations(t *testing.T) {
	seeds := 800
	if testing.Short() {
		seeds = 300
	}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 6))
		script := make([]byte, 20+rng.IntN(100))
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		operate(t, seed, script)
		if t.Failed() {
			t.Fatalf("seed %d, script %x", seed, script)
		}
	}
}

func operate(t *testing.T, seed uint64, script []byte) {
	script = script[:min(len(script), 150)]
	w := newWorld(t, seed, Config{MaxPairs: 6, MaxRemoteCandidates: 5, Embedding: true}, Config{Embedding: seed%8 != 0})
	// What is embedded comes as it was, if it comes.
	embedded := map[string]bool{}
	w.embedded = func(to int, b []byte) {
		if !embedded[string(b)] {
			t.Errorf("agent %d was given %d bytes that nobody has sent", to, len(b))
		}
	}
	embed := func(a *Agent, n, size int) {
		var flight [][]byte
		for range n {
			flight = append(flight, datagram(len(embedded), size))
			embedded[string(flight[len(flight)-1])] = true
		}
		if a.Embeds() {
			a.Embed(w.now, flight, size&1 == 0)
		}
	}
	defer func() {
		if r := recover(); r != nil {
			t.Logf("seed %d, script %x", seed, script)
			panic(r)
		}
	}()
	for who := range 2 {
		for i := range 3 {
			w.base(who, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(who), byte(i), 1}), uint16(1000+i)).String())
		}
	}
	w.join(simnet.Config{Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.2, Duplicate: 0.1, Reorder: 0.1})
	var recorded [][]byte
	w.see = func(from int, local, remote netip.AddrPort, b []byte) {
		if len(recorded) < 200 {
			recorded = append(recorded, append([]byte(nil), b...))
		}
	}
	local := func(who, i int) Candidate {
		return HostCandidate(w.bases[who][i%3], w.agents[who].LocalCredentials().Ufrag, uint16(65535-i%3))
	}
	for i, op := range script {
		who, arg := int(op)&1, int(op)>>5
		a, b := w.agents[who], w.agents[1-who]
		switch op >> 1 & 15 {
		case 0:
			a.AddLocalCandidate(w.now, local(who, arg))
		case 1:
			a.RemoveLocalCandidate(w.now, w.bases[who][arg%3])
		case 2:
			a.EndOfLocalCandidates(w.now)
		case 3:
			a.SetRemote(w.now, b.LocalCredentials(), false)
		case 4:
			_ = a.AddRemoteCandidate(w.now, local(1-who, arg))
		case 5:
			a.EndOfRemoteCandidates(w.now)
		case 6:
			a.SetControlling(w.now, arg&1 == 0)
		case 7:
			if arg == 0 {
				a.Restart(w.now, w.credentials())
			}
		case 8:
			if arg == 1 {
				a.Rollback(w.now)
			}
		case 9:
			if len(recorded) > 0 { // a replay, from a true or a false place
				a.HandlePacket(w.now, w.bases[who][i%3], w.bases[1-who][arg%3], append([]byte(nil), recorded[(i*7+arg)%len(recorded)]...))
			}
		case 10:
			if l, r, ok := a.Route(); ok {
				a.HandleData(w.now, l, r)
				a.HandleUse(w.now)
			}
		case 11:
			p := w.paths[(arg+i)%len(w.paths)].wire.Pipes[who]
			cfg := p.Config()
			cfg.Down = !cfg.Down
			p.SetConfig(cfg)
		case 12:
			if i%7 == 0 {
				a.SetRemote(w.now, w.credentials(), arg == 0)
			}
		case 13:
			switch arg {
			case 0, 1:
				a.AgreeEmbedding(arg == 0)
			case 2:
				a.EndEmbedding(w.now)
			case 3:
				a.Rest()
			case 4:
				a.HandleDatagram(datagram(i, 100))
			default:
				embed(a, arg-5, 13+i*15)
			}
			if d, ok := a.PeekFlight(nil); ok {
				if !embedded[string(d)] {
					t.Errorf("%d bytes that nobody has sent are to be joined", len(d))
				}
				a.JoinFlight()
			}
			for d, ok := a.PollFlight(nil); ok; d, ok = a.PollFlight(nil) {
				if !embedded[string(d)] {
					t.Errorf("%d bytes leave that nobody has sent", len(d))
				}
			}
		default:
			w.run(time.Duration(1+arg*arg*arg*20*(1+i%5)) * time.Millisecond) // up to 35 s
		}
		w.checkAll()
	}
	// Whatever it was: after a restart of both over a good path they connect.
	for _, p := range w.paths {
		for _, pipe := range p.wire.Pipes {
			pipe.SetConfig(simnet.Config{Delay: 10 * time.Millisecond})
		}
	}
	for _, a := range w.agents {
		a.Restart(w.now, w.credentials())
	}
	w.introduce()
	w.runUntil("after a restart of both", 20*time.Second, func() bool {
		return w.agreed() && w.agents[0].route.gen == w.agents[0].cur && w.agents[1].route.gen == w.agents[1].cur &&
			w.agents[0].controlling != w.agents[1].controlling
	})
}
