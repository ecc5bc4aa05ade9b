package peer

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// script reads operations from fuzz input; what is missing is zero.
type script struct{ b []byte }

func (s *script) byte() int {
	if len(s.b) == 0 {
		return 0
	}
	v := s.b[0]
	s.b = s.b[1:]
	return int(v)
}

func (s *script) bytes(n int) []byte {
	n = min(n, len(s.b))
	v := slices.Clone(s.b[:n])
	s.b = s.b[n:]
	return v
}

// play does to a world whatever the script says. Nothing may panic, and each core has to hold to its promises after each step.
func play(t testing.TB, input []byte) {
	s := &script{b: input}
	setup, network := s.byte(), s.byte()
	var sniff sniffer
	cfg := Config{AnsweringRole: answering(setup&1 != 0), ReceiveBuffer: 64 << 10, MaxMessageSize: 20 << 10, SendBuffer: 100 << 10, AlwaysData: setup&2 != 0,
		KeyLog: &sniff.keyLog, DisableSPED: setup&64 != 0, DTLS12: setup&128 != 0}
	held := 0 // buffers of packets
	cfg.Media = MediaConfig{
		Formats: testFormats(), ReceiveQueue: 20, MaxStreams: 10, HistoryPackets: 64, WantRTCP: true, Pacing: setup&16 != 0,
		NewBuffer:  func(size int) []byte { held++; return make([]byte, size) },
		FreeBuffer: func([]byte) { held-- },
	}
	path := lan
	if network&1 != 0 { // what is sent together arrives apart
		path.Rate, path.Queue = 50e6, 100<<10
	}
	if network&2 != 0 {
		path.MTU = 9000
	}
	if network&4 != 0 {
		cfg.ReceiveBuffer, cfg.SendBuffer = 4<<20, 1<<20
	}
	w := newWorld(t, uint64(setup), path, cfg)
	for i, core := range w.core {
		core.SetWholeDatagrams(network>>(3+i)&1 != 0) // so that larger ones are tried
	}
	if setup&4 != 0 {
		w.segments = 1 + setup>>3&7
	}
	var seen [2][][]byte // datagrams that each side has sent
	w.see = func(from int, b []byte) bool {
		sniff.describe(from, b)
		if len(seen[from]) < 256 {
			seen[from] = append(seen[from], slices.Clone(b))
		}
		return true
	}
	var handles [2][]Handle
	for i, h := range w.ear {
		h.on = func(e Event) {
			if e.Kind == EventChannelIncoming {
				handles[i] = append(handles[i], e.Channel)
			}
		}
	}
	if setup&0x80 != 0 { // begin where it gets interesting
		h, err := w.core[0].OpenChannel(w.now, reliable("chat"))
		w.must(err)
		handles[0] = append(handles[0], h)
		if setup&8 != 0 {
			for _, c := range w.core {
				_, err := c.AddTrack(w.now, Video, "picture", nil)
				w.must(err)
			}
		}
		w.negotiate(0)
		w.run(200 * time.Millisecond)
	}
	var descriptions []Description
	add := func(d Description, err error) Description {
		if err == nil {
			descriptions = append(descriptions, d)
		}
		return d
	}
	for n := 0; len(s.b) > 0 && n < 200; n++ {
		op := s.byte()
		i := op >> 7
		c := w.core[i]
		channel := func() (h Handle, ok bool) {
			if len(handles[i]) == 0 {
				return 0, false
			}
			return handles[i][s.byte()%len(handles[i])], true
		}
		transceiver := func() TransceiverID {
			all := c.Transceivers()
			if len(all) == 0 {
				return TransceiverID(s.byte())
			}
			return all[s.byte()%len(all)]
		}
		switch op & 31 {
		case 0:
			w.run(time.Duration(1+s.byte()) * time.Millisecond)
		case 1:
			switch kind := MediaKind(1 + op>>5&1); s.byte() & 7 {
			case 0:
				_, _ = c.AddTrack(w.now, kind, "track", []string{"stream"})
			case 1:
				_, _ = c.AddTransceiver(w.now, TransceiverInit{Kind: kind, Direction: Direction(s.byte() & 3), HasTrack: op&64 != 0, Track: "t"})
			case 2:
				_, _ = c.AddTransceiver(w.now, TransceiverInit{
					Kind: Video, Direction: SendRecv, HasTrack: true, Track: "t", Encodings: []Encoding{{RID: "a"}, {RID: "b"}},
				})
			case 3:
				_ = c.RemoveTrack(w.now, transceiver())
			case 4:
				_ = c.SetDirection(w.now, transceiver(), Direction(s.byte()&3))
			case 5:
				_ = c.StopTransceiver(w.now, transceiver())
			case 6:
				id := transceiver()
				if t, ok := c.Transceiver(id); ok {
					encodings := slices.Clone(t.Encodings)
					for i := range encodings {
						encodings[i].Inactive = s.byte()&1 != 0
					}
					_ = c.SetEncodings(w.now, id, encodings)
				}
			case 7:
				_ = c.SetStreams(transceiver(), []string{"x"})
				_ = c.SetCodecPreferences(transceiver(), testCodecs[kind][:1])
				_ = c.SetTrack(transceiver(), "other", op&64 != 0)
			}
		case 2:
			id := transceiver()
			number := s.byte() * s.byte()
			for k := range 1 + s.byte()&15 {
				h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(number + k), Timestamp: uint32(n)}
				if t, _ := c.Transceiver(id); t.Kind == Audio {
					h.PayloadType = 111
				}
				_ = c.SendRTP(w.now, id, op>>5&1, &h, body(n, s.byte()*4))
			}
		case 3:
			switch s.byte() & 3 {
			case 0:
				c.RequestKeyframe(w.now, StreamID(s.byte()&7))
			case 1:
				c.NewSource(transceiver(), op>>5&1)
			case 2:
				_ = c.WriteRTCP(w.now, append([]byte{0x80 | byte(s.byte()&31), byte(200 + s.byte()&7), 0, 3}, s.bytes(12)...))
			case 3:
				_ = c.Bandwidth()
				_, _ = c.StreamCounts(StreamID(s.byte() & 7))
				_, _ = c.SenderCounts(transceiver(), op>>5&1)
			}
			w.run(time.Duration(1+s.byte()) * time.Millisecond)
		case 4:
			w.run(time.Duration(s.byte()) * 100 * time.Millisecond)
		case 5:
			p := Params{Label: string(s.bytes(s.byte() % 20)), MaxRetransmits: -1, MaxLifetime: -1}
			switch kind := s.byte(); {
			case kind&7 == 0:
				p.MaxRetransmits = int32(kind >> 3)
			case kind&7 == 1:
				p.MaxLifetime = time.Duration(kind) * time.Millisecond
			case kind&7 == 2:
				p.Negotiated, p.HasID, p.ID = true, true, uint16(kind>>3)
			case kind&7 == 3:
				p.Protocol = "p"
				fallthrough
			default:
				p.Ordered = kind&8 == 0
			}
			if h, err := c.OpenChannel(w.now, p); err == nil {
				handles[i] = append(handles[i], h)
			}
		case 6, 7, 8:
			if h, ok := channel(); ok {
				if err := c.Send(w.now, h, body(n, s.byte()*s.byte()), op&32 != 0); err != nil && KindOf(err) > KindType {
					w.fatalf("Send: %v", err)
				}
			}
		case 9:
			if h, ok := channel(); ok {
				c.CloseChannel(w.now, h)
			}
		case 10:
			if h, ok := channel(); ok && op&32 != 0 {
				for n := range 50 {
					_ = c.Send(w.now, h, body(n, 16<<10), false)
				}
				w.run(50 * time.Millisecond)
			} else {
				w.whole(i)
			}
		case 11:
			d := add(c.CreateOffer(op&32 != 0))
			if op&64 == 0 {
				_ = c.SetLocal(w.now, d)
			}
		case 12:
			d := add(c.CreateAnswer())
			if op&64 == 0 {
				_ = c.SetLocal(w.now, d)
			}
		case 13:
			if len(descriptions) > 0 {
				d := descriptions[s.byte()%len(descriptions)]
				if op&64 != 0 {
					d.Type = DescriptionType(s.byte() % 5)
				}
				if op&32 != 0 && len(d.SDP) > 0 {
					b := []byte(d.SDP)
					b[s.byte()*8%len(b)] ^= byte(s.byte())
					d.SDP = string(b)
				}
				_ = c.SetRemote(w.now, d)
			}
		case 14:
			d := Description{Type: Rollback}
			if op&32 != 0 {
				_ = c.SetLocal(w.now, d)
			} else {
				_ = c.SetRemote(w.now, d)
			}
		case 15:
			if op&32 != 0 {
				w.gather(i)
			} else {
				c.AddLocalCandidate(w.now, w.addr[i], uint16(s.byte()))
			}
		case 16:
			mid := "0"
			line := fmt.Sprintf("candidate:1 1 udp %d %v %d typ host", 1+s.byte(), w.addr[1-i].Addr(), w.addr[1-i].Port())
			if op&32 != 0 {
				line = "candidate:" + string(s.bytes(s.byte()))
			}
			_ = c.AddRemoteCandidate(w.now, RemoteCandidate{Candidate: line, SDPMid: &mid})
		case 17, 18: // something that was sent, changed, from the peer or from somewhere else
			if from := s.byte(); len(seen[from&1]) > 0 {
				b := slices.Clone(seen[from&1][s.byte()%len(seen[from&1])])
				for range from >> 5 {
					b[s.byte()*5%len(b)] ^= byte(s.byte())
				}
				size := s.byte()
				if size&1 != 0 { // in a slab with others, of which the last may be shorter, or longer than it should be
					size = len(b)
					for range from >> 5 {
						b = append(b, seen[from&1][s.byte()%len(seen[from&1])]...)
					}
				}
				remote := w.addr[1-i]
				if from&2 != 0 {
					remote = w.strangers()[0]
				}
				c.HandleRead(w.now, w.addr[i], remote, b, size)
				if from&4 != 0 {
					c.EndBurst(w.now)
				}
			}
		case 19:
			c.HandleRead(w.now, w.addr[i], w.addr[1-i], s.bytes(s.byte()), s.byte())
			c.EndBurst(w.now)
		case 20: // the other side says something hostile
			if other := w.core[1-i]; other.dtls != nil && other.dtls.State() == 2 {
				v := s.bytes(s.byte())
				packet := sniff.packet(i, chunk(byte(s.byte()), byte(s.byte()), v))
				if op&32 != 0 {
					packet = sniff.packet(i, sniff.data(1-i, uint16(s.byte()), uint16(s.byte()), uint32(48+s.byte()&15), append(v, 0)))
				}
				w.inject(1-i, packet)
			}
		case 21:
			rng := s.byte()
			bad := path
			bad.Delay, bad.Loss = time.Duration(1+rng&15)*time.Millisecond, float64(rng>>4&3)/4
			bad.Duplicate, bad.Reorder, bad.Down = float64(rng>>6&1)/2, float64(rng>>7&1)/2, op&32 != 0
			if op&64 != 0 {
				bad.MTU = 1280
			}
			w.wire.Pipes[i].SetConfig(bad)
		case 22:
			c.RestartICE()
		case 23:
			w.ear[i].keep = !w.ear[i].keep
		case 24:
			w.ear[i].take(1 + s.byte())
		case 25:
			if op&96 == 96 {
				c.Close(w.now)
			}
		case 26:
			if op&32 != 0 {
				c.RemoveLocalCandidate(w.now, w.addr[i])
			} else if op&64 != 0 {
				c.RemoveLocalPort(w.now, w.addr[i].Port())
			}
		case 27:
			if h, ok := channel(); ok {
				if c.ChannelState(h) == ChannelClosed {
					c.ForgetChannel(h)
					handles[i] = slices.DeleteFunc(handles[i], func(x Handle) bool { return x == h })
				} else {
					c.SetBufferedAmountLowThreshold(h, s.byte()*100)
				}
			}
		case 28:
			c.EndOfLocalCandidates(w.now)
		case 29:
			c.ReportUnusedServer("stun:example.org")
			c.ConfirmNegotiation()
		case 30:
			_ = c.Report()
			_, _ = c.CanTrickle()
			_ = c.MaxSendMessageSize()
			if h, ok := channel(); ok {
				_, _ = c.Unsent(h)
			}
		case 31: // time jumps, and nobody is told until it has
			w.now = w.now.Add(time.Duration(s.byte()*s.byte()) * time.Millisecond)
		}
		w.flush()
		if c.closed && op&64 != 0 {
			c.Release()
			w.check()
		}
	}
	w.run(time.Second)
	for _, c := range w.core {
		c.Close(w.now)
	}
	w.run(time.Minute)
	if held != 0 {
		w.fatalf("%d packets were not given back", held)
	}
}

// whole makes a whole negotiation, as far as the states allow.
func (w *world) whole(from int) {
	a, b := w.core[from], w.core[1-from]
	offer, err := a.CreateOffer(false)
	if err != nil || a.SetLocal(w.now, offer) != nil {
		return
	}
	w.gather(from)
	offer, _ = a.Descriptions().Local()
	if b.SetRemote(w.now, offer) != nil || b.SetLocal(w.now, Description{}) != nil {
		return
	}
	w.gather(1 - from)
	answer, _ := b.Descriptions().Local()
	_ = a.SetRemote(w.now, answer)
}

func FuzzCore(f *testing.F) {
	for seed := range uint64(8) {
		b := make([]byte, 200)
		_, _ = seeded(seed, 11).Read(b)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, input []byte) { play(t, input) })
}

// Any operations in any order, with any bytes from the network: nothing panics, and each core holds to its promises after each.
func TestRandomOperations(t *testing.T) {
	seeds := uint64(500)
	if testing.Short() {
		seeds = 150
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 12))
		b := make([]byte, 20+rng.IntN(800))
		for i := 0; i < len(b); i += 8 {
			var v [8]byte
			binary.LittleEndian.PutUint64(v[:], rng.Uint64())
			copy(b[i:], v[:])
		}
		if seed%2 == 0 {
			b[0] |= 0x80
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("seed %d", seed)
					panic(p)
				}
			}()
			play(t, b)
		}()
	}
}

// stages are worlds in which a datagram may come.
var stages = []func(w *world){
	func(w *world) {},
	func(w *world) { w.open(0, reliable("chat")); w.offer(0) },
	func(w *world) { w.open(0, reliable("chat")); w.answer(1, w.offer(0)); w.run(50 * time.Millisecond) }, // an early ClientHello
	func(w *world) { w.open(0, reliable("chat")); w.negotiate(0); w.run(11 * time.Millisecond) },          // checking
	func(w *world) { w.open(0, reliable("chat")); w.negotiate(0); w.run(31 * time.Millisecond) },          // handshake
	func(w *world) { w.open(0, reliable("chat")); w.negotiate(0); w.run(71 * time.Millisecond) },          // SCTP's
	func(w *world) { w.connect() },
	func(w *world) { w.connect(); w.core[0].Close(w.now) },
	func(w *world) { w.connect(); w.core[0].Close(w.now); w.flush(); w.core[0].Release() },
}

// Raw bytes, in each stage of a connection: from the peer's address, from elsewhere, and, where there is DTLS, sealed as the peer would.
func FuzzHandleRead(f *testing.F) {
	for stage := range stages {
		for _, b := range [][]byte{{0}, {22, 0xfe, 0xfd}, plain(21, []byte{2, 40}), plain(22, make([]byte, 20)), make([]byte, 60), chunk(1, 0, make([]byte, 16))} {
			f.Add(byte(stage), byte(stage*50), b)
		}
	}
	f.Fuzz(func(t *testing.T, stage, how byte, b []byte) {
		w := newWorld(t, 1, lan, Config{AnsweringRole: answering(how&1 != 0), ReceiveBuffer: 64 << 10, MaxMessageSize: 20 << 10})
		stages[int(stage)%len(stages)](w)
		remote := w.addr[1]
		if how&2 != 0 {
			remote = netip.MustParseAddrPort("203.0.113.7:443")
		}
		if d := w.core[1].dtls; how&4 != 0 && len(b) < 16000 && d != nil && d.State() == 2 {
			if len(b) >= 12 && how&8 != 0 {
				b = sealSCTP(slices.Clone(b))
			}
			head, _ := d.Overhead()
			b = d.Seal(append(make([]byte, head), b...), 0)
		}
		before := w.core[0].stats.PacketsReceived
		w.core[0].HandleRead(w.now, w.addr[0], remote, slices.Clone(b), int(how>>3)*50)
		if n := w.core[0].stats.PacketsReceived - before; n == 0 && len(b) > 0 {
			t.Errorf("%d bytes are no datagram", len(b))
		}
		w.core[0].EndBurst(w.now)
		w.run(2 * time.Second)
	})
}
