package channel

import (
	"testing"
)

func FuzzOperations(f *testing.F) {
	f.Add(uint64(0), []byte{})
	f.Add(uint64(1), []byte("a storm of things that two applications do"))
	// A channel is closed by its maker while the remote refuses it for want of room.
	f.Add(uint64(130), []byte("001000y002010021010021000000100700002000070070070070100000000A00007107100000101A0000002100000000012"))
	f.Fuzz(func(t *testing.T, seed uint64, choices []byte) {
		runStorm(t, seed, func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := choices[0]
			choices = choices[1:]
			return int(c) % n
		})
	})
}

// FuzzRemote feeds one machine whatever a remote and a network may: messages
// and resets of any kind in any order.
func FuzzRemote(f *testing.F) {
	f.Add([]byte("\x00\x01\x0d\x03\x00\x01\x00\x00\x00\x00\x00\x00\x01\x00\x00x\x01\x00\x02\x01"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m := New(Config{MaxHeldMessages: 4, MaxHeldBytes: 64, MaxChannels: 6, MaxNameBytes: 40})
		m.SetRole(true)
		m.HandleConnected(epoch, 12)
		window := 0
		next := func() byte {
			if len(in) == 0 {
				return 0
			}
			c := in[0]
			in = in[1:]
			return c
		}
		for len(in) > 0 {
			op, id := next()%8, uint16(next()%13)
			switch op {
			case 0, 1, 2:
				n := min(int(next()%32), len(in))
				ppid := []uint32{50, 51, 53, 56, 57, 52, 0}[next()%7]
				if op == 0 {
					ppid = 50
				}
				n = min(n, len(in))
				m.HandleMessage(epoch, id, ppid, in[:n:n])
				window += n
				in = in[n:]
			case 3:
				m.HandleIncomingReset(epoch, id)
			case 4:
				m.HandleOutgoingReset(epoch, id)
			case 5:
				m.Open(epoch, reliable("x"))
			case 6:
				m.Open(epoch, negotiated("n", id))
			case 7:
				if h, ok := m.Lookup(id); ok {
					m.Close(epoch, h)
				}
			}
			m.check()
			for {
				if _, ok := m.PollRelease(); !ok {
					break
				}
			}
			for {
				if _, ok := m.PollSend(); !ok {
					break
				}
			}
			for {
				if _, ok := m.PollReset(); !ok {
					break
				}
			}
			for {
				n, ok := m.PollCredit()
				if !ok {
					break
				}
				window -= n
			}
			for {
				e, ok := m.PollEvent()
				if !ok {
					break
				}
				window -= e.Charge
				if e.Kind == EventClosed {
					m.Forget(e.Channel)
				}
			}
			m.check()
			if window != m.held.bytes {
				t.Fatalf("%d bytes of window are out, %d held", window, m.held.bytes)
			}
		}
	})
}
