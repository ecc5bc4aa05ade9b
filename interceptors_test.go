package rtc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// filter is an interceptor of a test's own: it drops and changes packets, and writes down what it is told.
type filter struct {
	interceptor.NoOp
	id string

	send    func(h *rtp.Header, payload []byte) ([]byte, bool) // false: dropped
	again   bool                                               // everything is sent again at once
	receive func(b []byte, n int) (int, error)

	mu       sync.Mutex
	calls    []string
	local    []*interceptor.StreamInfo
	remote   []*interceptor.StreamInfo
	rtcpIn   []rtcp.Packet
	rtcpOut  []rtcp.Packet
	writer   interceptor.RTCPWriter
	ended    chan struct{} // of its goroutine
	finish   chan struct{}
	finished bool
}

func (f *filter) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *filter) said() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *filter) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	f.writer = w
	f.ended, f.finish = make(chan struct{}), make(chan struct{})
	go func() {
		<-f.finish
		f.mu.Lock()
		f.finished = true
		f.mu.Unlock()
		close(f.ended)
	}()
	return interceptor.RTCPWriterFunc(func(packets []rtcp.Packet, a interceptor.Attributes) (int, error) {
		f.mu.Lock()
		f.rtcpOut = append(f.rtcpOut, packets...)
		f.mu.Unlock()
		return w.Write(packets, a)
	})
}

func (f *filter) BindRTCPReader(r interceptor.RTCPReader) interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := r.Read(b, a)
		if err == nil {
			var packets []rtcp.Packet
			if packets, err = a.GetRTCPPackets(b[:n]); err == nil {
				f.mu.Lock()
				f.rtcpIn = append(f.rtcpIn, packets...)
				f.mu.Unlock()
			}
		}
		return n, a, err
	})
}

func (f *filter) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	f.say("bind local %d", info.SSRC)
	f.mu.Lock()
	f.local = append(f.local, info)
	f.mu.Unlock()
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if f.send != nil {
			var ok bool
			if payload, ok = f.send(h, payload); !ok {
				return 0, nil
			}
		}
		if f.again { // the packet itself, and as a retransmission
			if _, err := w.Write(h, payload, a); err != nil {
				return 0, err
			}
			rtx := h.Clone()
			rtx.SSRC, rtx.PayloadType = info.SSRCRetransmission, info.PayloadTypeRetransmission
			if _, err := w.Write(&rtx, payload, a); err != nil {
				return 0, err
			}
		}
		return w.Write(h, payload, a)
	})
}

func (f *filter) UnbindLocalStream(info *interceptor.StreamInfo) { f.say("unbind local %d", info.SSRC) }

func (f *filter) BindRemoteStream(info *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	f.say("bind remote %d", info.SSRC)
	f.mu.Lock()
	f.remote = append(f.remote, info)
	f.mu.Unlock()
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := r.Read(b, a)
		if err == nil && f.receive != nil {
			n, err = f.receive(b, n)
		}
		return n, a, err
	})
}

func (f *filter) UnbindRemoteStream(info *interceptor.StreamInfo) {
	f.say("unbind remote %d", info.SSRC)
}

func (f *filter) Close() error {
	f.say("close")
	if f.finish != nil {
		close(f.finish)
		<-f.ended
	}
	return nil
}

// factory makes interceptors of a test's own.
type factory func(id string) (interceptor.Interceptor, error)

func (f factory) NewInterceptor(id string) (interceptor.Interceptor, error) { return f(id) }

func registry(factories ...interceptor.Factory) *interceptor.Registry {
	r := new(interceptor.Registry)
	for _, f := range factories {
		r.Add(f)
	}
	return r
}

// intercepted is a pair with a filter at each side.
func (w *world) intercepted(t *testing.T, set func(i int, f *filter)) (*pair, [2]*viewer, [2]*filter) {
	var filters [2]*filter
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 5 * time.Millisecond}}, func(i int, b rtc.Builder) rtc.Builder {
		return b.Interceptors(registry(factory(func(id string) (interceptor.Interceptor, error) {
			filters[i] = &filter{id: id}
			set(i, filters[i])
			return filters[i], nil
		})))
	})
	return p, v, filters
}

// numberOf reads a packet's number, whatever else was changed.
func numberOf(payload []byte) int { return int(payload[2])<<8 | int(payload[3]) }

// Interceptors see all that is sent and received, once; what they drop is gone, what they change is changed; their streams are bound before the first
// packet and unbound after the last; and when Done is closed their goroutines have ended.
func TestInterceptors(t *testing.T) { everywhere(t, testInterceptors) }

func testInterceptors(t *testing.T, w *world) {
	broken := errors.New("broken")
	p, v, filters := w.intercepted(t, func(i int, f *filter) {
		f.send = func(h *rtp.Header, payload []byte) ([]byte, bool) {
			h.Marker = true
			return payload, numberOf(payload)%5 != 4
		}
		f.receive = func(b []byte, n int) (int, error) {
			var h rtp.Header
			start, err := h.Unmarshal(b[:n])
			if err != nil {
				return 0, err
			}
			if numberOf(b[start:n])%7 == 3 {
				return 0, broken
			}
			return n + copy(b[n:], strings.Repeat("!", 300)), nil // longer than the memory that it came in
		}
	})
	var got []int
	v[1].onRTP = func(_ *rtc.TrackRemote, packet *rtp.Packet) {
		n := numberOf(packet.Payload)
		if want := sent(n) + strings.Repeat("!", 300); string(packet.Payload) != want || !packet.Marker {
			t.Errorf("packet %d has %d bytes, and marker %t", n, len(packet.Payload), packet.Marker)
		}
		got = append(got, n)
	}
	s := newSource(t, vp8, "video")
	sender := p.add(0, s)
	p.connects(0)
	var want []int
	for n := range 40 {
		s.send(1)
		if n%5 != 4 && n%7 != 3 {
			want = append(want, n)
		}
	}
	p.until("packets", func() bool { return len(got) >= len(want) })
	p.pass(100 * time.Millisecond)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	failed, _, _ := rtc.Interceptors(p.pc[1])
	if failed != 5 { // 3, 10, 17, 31, 38: 24 was dropped before
		t.Errorf("%d packets were stopped by errors, not 5", failed)
	}
	if in := statsOf[webrtc.InboundRTPStreamStats](p.pc[1]); len(in) != 1 || in[0].PacketsDiscarded != 5 {
		t.Errorf("discarded in the stats: %+v", in)
	}

	encoding := sender.GetParameters().Encodings[0]
	track := v[1].track("video")
	local, remote := filters[0].local[0], filters[1].remote[0]
	for _, info := range []*interceptor.StreamInfo{local, remote} {
		if info.SSRC != uint32(encoding.SSRC) || info.SSRC != uint32(track.SSRC()) || info.MimeType != rtc.MimeTypeVP8 || info.ClockRate != 90000 ||
			info.PayloadType != uint8(track.PayloadType()) || !slices.Contains(info.RTCPFeedback, interceptor.RTCPFeedback{Type: "nack", Parameter: "pli"}) ||
			!slices.ContainsFunc(info.RTPHeaderExtensions, func(x interceptor.RTPHeaderExtension) bool {
				return strings.Contains(x.URI, "transport-wide-cc") && x.ID != 0
			}) {
			t.Errorf("stream %+v of %+v", info, encoding)
		}
	}
	if local.SSRCRetransmission != uint32(encoding.RTX.SSRC) || local.SSRCRetransmission == 0 || local.PayloadTypeRetransmission == 0 || local.ID == "" {
		t.Errorf("retransmissions of %+v, encoding %+v", local, encoding)
	}

	// RTCP of the user passes, of whatever kind; reports that the peer sends are seen.
	packets := []rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 7}, &rtcp.TransportLayerNack{SenderSSRC: 7, MediaSSRC: 8, Nacks: []rtcp.NackPair{{PacketID: 9}}},
		&rtcp.PictureLossIndication{SenderSSRC: 7, MediaSSRC: local.SSRC},
	}
	p.must(p.pc[1].WriteRTCP(packets))
	p.until("RTCP", func() bool {
		filters[0].mu.Lock()
		defer filters[0].mu.Unlock()
		return slices.ContainsFunc(filters[0].rtcpIn, func(q rtcp.Packet) bool {
			n, ok := q.(*rtcp.TransportLayerNack)
			return ok && n.SenderSSRC == 7
		})
	})
	filters[1].mu.Lock()
	if len(filters[1].rtcpOut) != len(packets) {
		t.Errorf("%d packets of RTCP were seen on their way out", len(filters[1].rtcpOut))
	}
	filters[1].mu.Unlock()

	for i, pc := range p.pc {
		if filters[i].id != pc.ID() {
			t.Errorf("the factory was given %q, the connection is %q", filters[i].id, pc.ID())
		}
		p.must(pc.Close())
		p.until("the end", func() bool { return done(pc) })
		filters[i].mu.Lock()
		if !filters[i].finished {
			t.Error("a goroutine of an interceptor outlives its connection")
		}
		filters[i].mu.Unlock()
	}
	ssrc := fmt.Sprint(local.SSRC)
	for i, way := range []string{"local ", "remote "} {
		if want := []string{"bind " + way + ssrc, "unbind " + way + ssrc, "close"}; !slices.Equal(filters[i].said(), want) {
			t.Errorf("%s was told %q, want %q", p.rec[i].name, filters[i].said(), want)
		}
	}
}

// sent is the payload of packet n.
func sent(n int) string { return string(packet(n).Payload) }

// What is read inside a handler passes the interceptors too.
func TestInterceptorsOfReaders(t *testing.T) { everywhere(t, testInterceptorsOfReaders) }

func testInterceptorsOfReaders(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, func(i int, b rtc.Builder) rtc.Builder {
		return b.Interceptors(registry(factory(func(string) (interceptor.Interceptor, error) {
			return &filter{receive: func(b []byte, n int) (int, error) {
				if b[1]&0x80 != 0 { // the marker
					return 0, errors.New("no")
				}
				return n, nil
			}}, nil
		})))
	})
	s := newSource(t, vp8, "video")
	p.add(0, s)
	var mu sync.Mutex
	var got []int
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind != "track" {
			return
		}
		track := p.rec[1].track("video")
		for range 10 {
			var packet *rtp.Packet
			var err error
			p.aside(func() { packet, err = track.ReadRTP(context.Background()) })
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			got = append(got, numberOf(packet.Payload))
			mu.Unlock()
		}
	}
	p.connects(0)
	stop := p.films(s)
	p.until("ten packets", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == 10
	})
	stop()
	mu.Lock()
	defer mu.Unlock()
	for i, n := range got {
		if n%3 == 0 || i > 0 && n <= got[i-1] {
			t.Errorf("got %v: those with a marker should be gone", got)
			break
		}
	}
}

// Without interceptors there is no chain: not for an empty registry, nor for none.
func TestNoInterceptors(t *testing.T) {
	p := newPair(t, sim.Config{}, func(i int, b rtc.Builder) rtc.Builder {
		if i == 0 {
			return b.Interceptors(new(interceptor.Registry))
		}
		return b.Interceptors(nil)
	})
	for _, pc := range p.pc {
		if _, _, has := rtc.Interceptors(pc); has {
			t.Error("a chain of nothing")
		}
	}
	if a, b := p.pc[0].ID(), p.pc[1].ID(); a == b {
		t.Errorf("two connections are %q", a)
	}
}

// A factory's error is Build's, and its connection leaves nothing.
func TestInterceptorFactoryFails(t *testing.T) {
	broken := errors.New("broken")
	w := sim.New(sim.Config{})
	defer w.Close()
	_, err := rtc.NewBuilder().Runtime(w.Host("a")).Interceptors(registry(factory(func(string) (interceptor.Interceptor, error) {
		return nil, broken
	}))).Build(t.Context())
	var operation *rtc.OperationError
	if !errors.As(err, &operation) || !errors.Is(err, broken) {
		t.Errorf("%T %v", err, err)
	}
	if loops, sockets := w.Open(); loops+sockets > 0 {
		t.Errorf("%d loops and %d sockets are open", loops, sockets)
	}
}

// What a connection does by itself it does alone: reports, NACKs, transport-wide feedback and retransmissions of interceptors do not leave, all
// else does.
func TestInterceptorsDoNotRepeatTheConnection(t *testing.T) {
	everywhere(t, testInterceptorsDoNotRepeat)
}

func testInterceptorsDoNotRepeat(t *testing.T, w *world) {
	p, v, filters := w.intercepted(t, func(int, *filter) {})
	s := newSource(t, vp8, "video")
	p.add(0, s)
	p.connects(0)
	s.send(1)
	p.until("a packet", func() bool { return len(v[1].seen("video")) == 1 })
	own := []rtcp.Packet{
		&rtcp.SenderReport{SSRC: 77}, &rtcp.ReceiverReport{SSRC: 77},
		&rtcp.TransportLayerNack{SenderSSRC: 77, MediaSSRC: 1, Nacks: []rtcp.NackPair{{PacketID: 9}}},
		&rtcp.TransportLayerCC{
			Header:     rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 5},
			SenderSSRC: 77, PacketStatusCount: 1,
			PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 1}},
			RecvDeltas:   []*rtcp.RecvDelta{{Type: rtcp.TypeTCCPacketReceivedSmallDelta}},
		},
	}
	for _, packet := range own {
		_, err := filters[0].writer.Write([]rtcp.Packet{packet}, interceptor.Attributes{})
		p.must(err)
	}
	_, err := filters[0].writer.Write([]rtcp.Packet{own[0], &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 77, Bitrate: 1e6}}, nil)
	p.must(err)
	from77 := func() (list []rtcp.Packet) {
		v[1].mu.Lock()
		defer v[1].mu.Unlock()
		for _, q := range v[1].rtcp {
			switch q := q.(type) {
			case *rtcp.SenderReport:
				if q.SSRC == 77 {
					list = append(list, q)
				}
			case *rtcp.ReceiverReport:
				if q.SSRC == 77 {
					list = append(list, q)
				}
			case *rtcp.TransportLayerNack:
				if q.SenderSSRC == 77 {
					list = append(list, q)
				}
			case *rtcp.TransportLayerCC:
				if q.SenderSSRC == 77 {
					list = append(list, q)
				}
			case *rtcp.ReceiverEstimatedMaximumBitrate:
				list = append(list, q)
			}
		}
		return list
	}
	p.until("the estimate", func() bool { return len(from77()) > 0 })
	if list := from77(); len(list) != 1 {
		t.Errorf("%d packets of the interceptor's have left: %v", len(list), list)
	}
	if _, suppressed, _ := rtc.Interceptors(p.pc[0]); suppressed != 5 {
		t.Errorf("%d packets were suppressed, not 5", suppressed)
	}
}

// An interceptor that sends again what the connection keeps for that purpose sends it in vain.
func TestInterceptorsRetransmitInVain(t *testing.T) { everywhere(t, testInterceptorsRetransmit) }

func testInterceptorsRetransmit(t *testing.T, w *world) {
	p, v, _ := w.intercepted(t, func(_ int, f *filter) { f.again = true })
	s := newSource(t, vp8, "video")
	p.add(0, s)
	p.connects(0)
	s.send(30)
	p.until("packets", func() bool { return len(v[1].seen("video")) >= 30 })
	p.pass(100 * time.Millisecond)
	if got := v[1].seen("video"); !slices.Equal(got, counted(0, 29)) {
		t.Errorf("got %v", got)
	}
	v[1].right(t)
	if _, suppressed, _ := rtc.Interceptors(p.pc[0]); suppressed != 30 {
		t.Errorf("%d retransmissions were suppressed, not 30", suppressed)
	}
	if out := statsOf[webrtc.OutboundRTPStreamStats](p.pc[0]); len(out) != 1 || out[0].PacketsSent != 30 {
		t.Errorf("sent: %+v", out)
	}
	if in := statsOf[webrtc.InboundRTPStreamStats](p.pc[1]); len(in) != 1 || in[0].PacketsReceived != 30 || in[0].PacketsDuplicated != 0 {
		t.Errorf("received: %+v", in)
	}
}

// An interceptor that numbers packets for transport-wide feedback gets the feedback about its numbers; those that came along with a packet from
// another connection are not taken for its own.
func TestInterceptorsNumberPackets(t *testing.T) { everywhere(t, testInterceptorsNumber) }

func testInterceptorsNumber(t *testing.T, w *world) {
	const first = 40000
	for _, numbers := range []bool{true, false} {
		var transportCC uint8
		next := uint16(first)
		p, _, filters := w.intercepted(t, func(i int, f *filter) {
			f.send = func(h *rtp.Header, payload []byte) ([]byte, bool) {
				if h.GetExtension(transportCC) != nil {
					t.Error("a number of another connection comes through")
				}
				if numbers {
					_ = h.SetExtension(transportCC, []byte{byte(next >> 8), byte(next)})
					next++
				}
				return payload, true
			}
		})
		s := newSource(t, vp8, "video")
		p.add(0, s)
		p.connects(0)
		for _, x := range filters[0].local[0].RTPHeaderExtensions {
			if strings.Contains(x.URI, "transport-wide-cc") {
				transportCC = uint8(x.ID)
			}
		}
		for n := range 20 {
			forwarded := packet(n)
			p.must(forwarded.SetExtension(transportCC, []byte{99, 99}))
			p.must(s.WriteRTP(forwarded))
			p.pass(20 * time.Millisecond)
		}
		var bases []uint16
		p.until("feedback", func() bool {
			bases = nil
			filters[0].mu.Lock()
			defer filters[0].mu.Unlock()
			for _, q := range filters[0].rtcpIn {
				if f, ok := q.(*rtcp.TransportLayerCC); ok {
					bases = append(bases, f.BaseSequenceNumber)
				}
			}
			return len(bases) > 0
		})
		for _, b := range bases {
			if (b >= first && b < first+20) != numbers || b >= first+20 || b == 99<<8+99 {
				t.Errorf("feedback begins at %v; the interceptor numbers: %t", bases, numbers)
				break
			}
		}
	}
}

// What an interceptor makes of a packet may be none any more: it is gone, and counted.
func TestInterceptorsThatBreakPackets(t *testing.T) { everywhere(t, testInterceptorsThatBreak) }

func testInterceptorsThatBreak(t *testing.T, w *world) {
	p, v, _ := w.intercepted(t, func(_ int, f *filter) {
		f.receive = func(b []byte, n int) (int, error) {
			switch n := b[n-1] % 3; n { // as good as chance
			case 0:
				return int(n), nil
			case 1:
				b[0] |= 0x20 // padding, of a length that it does not have
				b[len(b)-1] = 255
				return 13, nil
			}
			return n, nil
		}
	})
	s := newSource(t, vp8, "video")
	p.add(0, s)
	p.connects(0)
	s.send(30)
	p.until("packets", func() bool {
		in := statsOf[webrtc.InboundRTPStreamStats](p.pc[1])
		return len(in) == 1 && in[0].PacketsReceived == 30 && int(in[0].PacketsDiscarded)+len(v[1].seen("video")) == 30
	})
	if n := len(v[1].seen("video")); n == 0 || n == 30 {
		t.Errorf("%d of 30 packets are left", n)
	}
	v[1].right(t)
}
