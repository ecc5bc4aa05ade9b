package rtc_test

import (
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/interceptor/pkg/intervalpli"
	"github.com/pion/interceptor/pkg/packetdump"
	"github.com/pion/interceptor/pkg/stats"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
)

func quietly() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	return f
}

// isRTP tells an RTP packet from all else that a connection sends.
func isRTP(b []byte) bool { return len(b) >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223) }

// With pion's default interceptors in our connection all works as without them: what is lost is repaired, packets come once, and in RTCP the
// peer hears one voice, since reports, NACKs and feedback of the interceptors are not sent beside ours.
func TestDefaultInterceptorsWithPion(t *testing.T) {
	inBubble(t, "lossy", func(t *testing.T) {
		var mu sync.Mutex
		var losing atomic.Bool
		n, lost, nacks := 0, 0, 0
		voices := map[uint32]int{} // our RTCP packets, by who says to send them
		engine, interceptors := new(webrtc.MediaEngine), new(interceptor.Registry)
		for _, err := range []error{
			engine.RegisterDefaultCodecs(),
			webrtc.RegisterDefaultInterceptorsWithOptions(engine, interceptors, webrtc.WithInterceptorLoggerFactory(quietly())),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		s := exhibit(t, newVNet(t, 10*time.Millisecond, func(c vnet.Chunk) bool {
			mu.Lock()
			defer mu.Unlock()
			b := c.UserData()
			if len(b) >= 12 && b[0]>>6 == 2 && !isRTP(b) && strings.HasPrefix(c.SourceAddr().String(), "192.0.2.1:") {
				voices[binary.BigEndian.Uint32(b[4:])]++
				if b[1] == 205 && b[0]&31 == 1 {
					nacks++
				}
			}
			if !losing.Load() || !isRTP(b) {
				return true
			}
			if n++; n%10 == 0 {
				lost++
				return false
			}
			return true
		}), terms{ours: func(b rtc.Builder) rtc.Builder { return b.MediaEngine(engine).Interceptors(interceptors) }})
		s.repairs(s.meeting.us, &losing, 500)
		mu.Lock()
		defer mu.Unlock()
		// Before we have sent anything our reports have a source of their own.
		if len(voices) == 0 || len(voices) > 2 || lost < 50 {
			t.Errorf("RTCP of %v; the network has lost %d", voices, lost)
		}
		if in := statsOf[webrtc.InboundRTPStreamStats](s.ours); len(in) != 1 || int(in[0].NACKCount) != nacks || nacks == 0 {
			t.Errorf("the network saw %d NACKs of ours, we count %+v", nacks, in)
		}
		if _, suppressed, has := rtc.Interceptors(s.ours); !has || suppressed == 0 {
			t.Error("pion's interceptors have not tried to send anything: were they there?")
		}
	})
}

// pion's stats count what passed our connection.
func TestStatsInterceptorWithPion(t *testing.T) {
	inBubble(t, "both ways", func(t *testing.T) {
		var id string
		var getter stats.Getter
		f, err := stats.NewInterceptor(stats.WithLoggerFactory(quietly()))
		if err != nil {
			t.Fatal(err)
		}
		f.OnNewPeerConnection(func(name string, g stats.Getter) { id, getter = name, g })
		s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{ours: func(b rtc.Builder) rtc.Builder { return b.Interceptors(registry(f)) }})
		sources := []*source{newSource(t, vp8, "ours"), newSource(t, vp8, "pions")}
		for i, side := range s.sides() {
			s.add(side, sources[i])
		}
		s.negotiate(s.meeting.us, nil)
		s.connected()
		for i, side := range s.sides() {
			s.warm(s.other(side), sources[i])
		}
		s.film(100, sources[0], sources[1])
		s.film(100) // reports
		if id != s.ours.ID() {
			t.Errorf("the factory was given %q, the connection is %q", id, s.ours.ID())
		}
		out := statsOf[webrtc.OutboundRTPStreamStats](s.ours)[0]
		in := statsOf[webrtc.InboundRTPStreamStats](s.ours)[0]
		theirs := getter.Get(uint32(out.SSRC))
		if o := theirs.OutboundRTPStreamStats; o.PacketsSent < 100 || o.PacketsSent > uint64(out.PacketsSent) {
			t.Errorf("sent: %+v, ours %+v", theirs, out)
		}
		if r := statsOf[webrtc.RemoteInboundRTPStreamStats](s.ours)[0]; theirs.RemoteInboundRTPStreamStats.PacketsLost != int64(r.PacketsLost) {
			t.Errorf("the peer has lost %d, by ours %d", theirs.RemoteInboundRTPStreamStats.PacketsLost, r.PacketsLost)
		}
		theirs = getter.Get(uint32(in.SSRC))
		// Its recorder starts in a goroutine of its own, and may miss the first packets.
		if i := theirs.InboundRTPStreamStats; i.PacketsReceived < 100 || i.PacketsReceived > uint64(in.PacketsReceived) || i.PacketsLost != int64(in.PacketsLost) {
			t.Errorf("received: %+v, ours %+v", theirs, in)
		}
	})
}

// pion's GCC, which numbers packets itself, gets the peer's feedback about just these: on a path that loses nothing it finds no loss and raises
// its estimate, on one that loses each twentieth it finds that, and our retransmissions don't disturb it.
func TestGCCWithPion(t *testing.T) {
	const initial = 1_000_000
	for name, every := range map[string]int{"nothing lost": 0, "5 % lost": 20} {
		inBubble(t, name, func(t *testing.T) {
			var mu sync.Mutex
			n := 0
			var estimator cc.BandwidthEstimator
			control, err := cc.NewInterceptor(func() (cc.BandwidthEstimator, error) {
				return gcc.NewSendSideBWE(gcc.SendSideBWEInitialBitrate(initial), gcc.WithLoggerFactory(quietly()))
			})
			if err != nil {
				t.Fatal(err)
			}
			control.OnNewPeerConnection(func(_ string, e cc.BandwidthEstimator) { estimator = e })
			numbers, err := twcc.NewHeaderExtensionInterceptor()
			if err != nil {
				t.Fatal(err)
			}
			s := exhibit(t, newVNet(t, 10*time.Millisecond, func(c vnet.Chunk) bool {
				mu.Lock()
				defer mu.Unlock()
				if every == 0 || !isRTP(c.UserData()) {
					return true
				}
				n++
				return n%every != 0
			}), terms{ours: func(b rtc.Builder) rtc.Builder { return b.Interceptors(registry(control, numbers)) }})
			from := newSource(t, vp8, "ours")
			s.add(s.meeting.us, from)
			s.negotiate(s.meeting.us, nil)
			s.connected()
			s.warm(s.meeting.pion, from)
			first := from.sent
			s.film(1000, from)
			s.film(20) // of its pacer, and what is repaired
			s.sees(s.meeting.pion, from.ID(), first, first+950, false)
			loss := estimator.GetStats()["averageLoss"].(float64)
			switch target := estimator.GetTargetBitrate(); {
			case every == 0 && (loss != 0 || target <= initial):
				t.Errorf("a loss of %v is estimated, and %d bit/s after %d", loss, target, initial)
			case every != 0 && (loss <= 0 || loss > 0.2): // the average is a short one
				t.Errorf("a loss of %v is estimated, of 0.05", loss)
			}
			if b := statsOf[webrtc.OutboundRTPStreamStats](s.ours)[0]; (every != 0) != (b.RetransmittedPacketsSent > 0) {
				t.Errorf("%d packets sent again", b.RetransmittedPacketsSent)
			}
		})
	}
}

// pion's interceptor that asks for keyframes on a schedule does so, and its dump shows what passes.
func TestIntervalPLIWithPion(t *testing.T) {
	inBubble(t, "each half second", func(t *testing.T) {
		f, err := intervalpli.NewReceiverInterceptor(intervalpli.GeneratorInterval(500*time.Millisecond), intervalpli.WithLoggerFactory(quietly()))
		if err != nil {
			t.Fatal(err)
		}
		var dumped lineCounter
		dump, err := packetdump.NewReceiverInterceptor(packetdump.RTPWriter(&dumped), packetdump.RTCPWriter(io.Discard), packetdump.WithLoggerFactory(quietly()))
		if err != nil {
			t.Fatal(err)
		}
		s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{ours: func(b rtc.Builder) rtc.Builder { return b.Interceptors(registry(f, dump)) }})
		from := newSource(t, vp8, "pions")
		s.add(s.meeting.pion, from)
		s.negotiate(s.meeting.pion, nil)
		s.connected()
		s.warm(s.meeting.us, from)
		s.film(500, from)
		s.pion.mu.Lock()
		requests := s.pion.requests[from.ID()]
		s.pion.mu.Unlock()
		if requests < 18 || requests > 24 {
			t.Errorf("%d requests in 10 s", requests)
		}
		if got := len(s.us.seen(from.ID())); got < 500 || dumped.lines() < 500 {
			t.Errorf("%d packets came, %d were dumped", got, dumped.lines())
		}
	})
}

// lineCounter counts lines that are written.
type lineCounter struct {
	mu sync.Mutex
	n  int
}

func (c *lineCounter) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += strings.Count(string(b), "\n")
	return len(b), nil
}

func (c *lineCounter) lines() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}
