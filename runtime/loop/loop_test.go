package loop_test

import (
	"context"
	"net/netip"
	goruntime "runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type ear struct {
	rtc.BaseHandler
	open chan *rtc.DataChannel
	got  chan string
}

func (e *ear) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) { e.open <- dc }

func (e *ear) OnDataChannelMessage(_ *rtc.PeerConnection, _ *rtc.DataChannel, m rtc.DataChannelMessage) {
	e.got <- string(m.Data)
}

func receive[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(15 * time.Second):
		t.Fatalf("%s: nothing after 15 s", what)
	}
	return v
}

// Connections on a few workers talk, and hold no goroutine each.
func TestConnections(t *testing.T) {
	const pairs, workers = 30, 2
	rt := loop.New(loop.Config{Workers: workers})
	base := goruntime.NumGoroutine()
	var pcs []*rtc.PeerConnection
	var ears []*ear
	for range 2 * pairs {
		e := &ear{open: make(chan *rtc.DataChannel, 1), got: make(chan string, 1)}
		pc, err := rtc.NewBuilder().Runtime(rt).Handler(e).ListenAddrs("127.0.0.1:0").Build(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		pcs, ears = append(pcs, pc), append(ears, e)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(pcs); i += 2 {
		_, err := pcs[i].CreateDataChannel("data", nil)
		must(err)
		must(pcs[i].SetLocalDescription(rtc.SessionDescription{}))
		must(pcs[i+1].SetRemoteDescription(*pcs[i].LocalDescription()))
		must(pcs[i+1].SetLocalDescription(rtc.SessionDescription{}))
		must(pcs[i].SetRemoteDescription(*pcs[i+1].LocalDescription()))
	}
	for i, e := range ears {
		dc := receive(t, "the channel opens", e.open)
		must(dc.SendText("hello"))
		if got := receive(t, "a message", ears[i^1].got); got != "hello" {
			t.Fatalf("heard %q", got)
		}
	}
	if n := goruntime.NumGoroutine() - base; !portable && n > workers {
		t.Errorf("%d goroutines for %d connections", n, len(pcs))
	}
	for _, pc := range pcs {
		pc.Close()
	}
	for _, pc := range pcs {
		<-pc.Done()
	}
	if n := rt.Stats().Hosts; n != 0 {
		t.Errorf("%d hosts are left", n)
	}
}

// sleeper is a loop that waits for ever.
type sleeper struct {
	host     runtime.Host
	quit     chan struct{}
	released chan struct{}
}

func (l *sleeper) Receive(time.Time, runtime.UDPSocket, *runtime.Datagrams) {}
func (l *sleeper) SocketFailed(time.Time, runtime.UDPSocket, error)         {}
func (l *sleeper) Dispatch()                                                {}
func (l *sleeper) Released()                                                { close(l.released) }
func (l *sleeper) Turn(now time.Time) runtime.Next {
	select {
	case <-l.quit:
		return runtime.Next{Done: true}
	default:
		return runtime.Next{At: now.Add(time.Hour)}
	}
}

// BenchmarkIdleHosts reports what a host with a socket costs that waits.
func BenchmarkIdleHosts(b *testing.B) {
	const n = 2000
	for range b.N {
		rt := loop.New(loop.Config{})
		var before, after goruntime.MemStats
		goruntime.GC()
		goruntime.GC()
		goruntime.ReadMemStats(&before)
		goroutines := goruntime.NumGoroutine()
		loops := make([]*sleeper, n)
		quit := make(chan struct{})
		for i := range loops {
			l := &sleeper{quit: quit, released: make(chan struct{})}
			loops[i] = l
			var err error
			if l.host, err = rt.Spawn(l); err != nil {
				b.Fatal(err)
			}
			if _, err := l.host.ListenUDP(context.Background(), netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
				b.Fatal(err)
			}
			l.host.WakeAt(time.Now().Add(time.Hour))
		}
		goruntime.GC()
		goruntime.GC()
		goruntime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/host")
		b.ReportMetric(float64(int64(after.StackInuse)-int64(before.StackInuse))/n, "stack-B/host")
		b.ReportMetric(float64(goruntime.NumGoroutine()-goroutines), "goroutines")
		close(quit)
		for _, l := range loops {
			l.host.Wake()
			<-l.released
		}
	}
}
