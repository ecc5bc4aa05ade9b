package std

import (
	"net/netip"
	goruntime "runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// pingPong makes two hosts that send one datagram to and fro, and returns a function that does a number of rounds.
func pingPong(t testing.TB, rt *Runtime, dispatch bool) (rounds func(n int), end func()) {
	echo, ping := newToy(), newToy()
	next := func(time.Time) runtime.Next { return runtime.Next{At: time.Now().Add(time.Minute), Events: dispatch} }
	echo.turn, ping.turn = next, next
	echo.spawn(t, rt)
	ping.spawn(t, rt)
	a := ping.listen(t, "127.0.0.1:0")
	b := echo.listen(t, "127.0.0.1:0")
	echo.receive = func(_ time.Time, s runtime.UDPSocket, d *runtime.Datagrams) {
		d.Local, d.Remote = b.LocalAddr(), a.LocalAddr()
		_ = s.Send(d)
	}
	var left atomic.Int64
	done := make(chan struct{})
	ping.receive = func(_ time.Time, s runtime.UDPSocket, d *runtime.Datagrams) {
		if left.Add(-1) == 0 {
			done <- struct{}{}
			return
		}
		d.Local, d.Remote = a.LocalAddr(), b.LocalAddr()
		_ = s.Send(d)
	}
	first := runtime.Datagrams{Local: a.LocalAddr(), Remote: b.LocalAddr(), Data: make([]byte, 1200)}
	return func(n int) {
		left.Store(int64(n))
		_ = a.Send(&first)
		receive(t, "the last answer", done)
	}, func() { ping.end(t); echo.end(t) }
}

func BenchmarkPingPong(b *testing.B) {
	for _, dispatch := range []bool{false, true} {
		b.Run(map[bool]string{false: "turn", true: "turn+dispatch"}[dispatch], func(b *testing.B) {
			rounds, end := pingPong(b, New(Config{}), dispatch)
			defer end()
			rounds(10)
			b.ReportAllocs()
			b.ResetTimer()
			rounds(b.N)
		})
	}
}

func BenchmarkSlabs(b *testing.B) {
	for _, bb := range []struct {
		name     string
		cfg      Config
		segments int
	}{
		{"one", Config{}, 1},
		{"44", Config{}, 44},
		{"44/no offload", Config{DisableGSO: true, DisableGRO: true}, 44},
	} {
		b.Run(bb.name, func(b *testing.B) {
			rt := New(bb.cfg)
			sink, source := newToy(), newToy()
			var got atomic.Int64
			sink.receive = func(_ time.Time, _ runtime.UDPSocket, d *runtime.Datagrams) { got.Add(int64(d.Segments())) }
			sink.spawn(b, rt)
			source.spawn(b, rt)
			from, to := source.listen(b, "[::]:0"), sink.listen(b, "[::]:0")
			d := runtime.Datagrams{
				Local:       from.LocalAddr(),
				Remote:      netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to.LocalAddr().Port()),
				Data:        make([]byte, 1200*bb.segments),
				SegmentSize: 1200,
			}
			b.ReportAllocs()
			b.ResetTimer()
			start := time.Now()
			sent := int64(0)
			for range b.N {
				if err := from.Send(&d); err != nil {
					b.Fatal(err)
				}
				for sent += int64(bb.segments); sent-got.Load() > 1000; {
					goruntime.Gosched()
				}
			}
			eventually(b, "all arrive", func() bool { return got.Load() >= sent*9/10 })
			b.StopTimer()
			b.ReportMetric(float64(got.Load())/time.Since(start).Seconds(), "packets/s")
			b.ReportMetric(float64(sent-got.Load())/float64(sent), "lost")
			source.end(b)
			sink.end(b)
		})
	}
}

// BenchmarkWake is the way from a Wake of an idle loop to its Turn and back.
func BenchmarkWake(b *testing.B) {
	for _, socket := range []bool{true, false} {
		b.Run(map[bool]string{false: "bell", true: "socket"}[socket], func(b *testing.B) {
			l := newToy()
			turned := make(chan struct{}, 1)
			l.turn = func(time.Time) runtime.Next {
				select {
				case turned <- struct{}{}:
				default:
				}
				return runtime.Next{At: time.Now().Add(time.Minute)}
			}
			l.spawn(b, New(Config{}))
			if socket {
				l.listen(b, "127.0.0.1:0")
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				l.host.Wake()
				<-turned
			}
			b.StopTimer()
			l.end(b)
		})
	}
}

// BenchmarkTurn is what a Turn and a Dispatch without work cost when the loop wakes itself.
func BenchmarkTurn(b *testing.B) {
	for _, events := range []bool{false, true} {
		b.Run(map[bool]string{false: "turn", true: "turn+dispatch"}[events], func(b *testing.B) {
			l := newToy()
			left := 0
			done := make(chan struct{}, 1)
			l.turn = func(time.Time) runtime.Next {
				if left--; left > 0 {
					l.host.Wake()
				} else if left == 0 {
					done <- struct{}{}
				}
				return runtime.Next{Events: events}
			}
			l.spawn(b, New(Config{}))
			left = b.N
			b.ReportAllocs()
			b.ResetTimer()
			l.host.Wake()
			<-done
			b.StopTimer()
			l.end(b)
		})
	}
}

// BenchmarkIdleHosts reports the memory of a host with a socket that waits.
func BenchmarkIdleHosts(b *testing.B) {
	const n = 2000
	for range b.N {
		var before, after goruntime.MemStats
		goruntime.GC()
		goruntime.GC()
		goruntime.ReadMemStats(&before)
		loops := make([]*toy, n)
		rt := New(Config{})
		for i := range loops {
			l := newToy()
			l.turn = func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(time.Hour)} }
			loops[i] = l.spawn(b, rt)
			l.listen(b, "127.0.0.1:0")
			l.host.Wake()
		}
		eventually(b, "all have had their Turn", func() bool {
			for _, l := range loops {
				if l.turns.Load() == 0 {
					return false
				}
			}
			return true
		})
		goruntime.GC()
		goruntime.GC()
		goruntime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/host")
		b.ReportMetric(float64(int64(after.StackInuse)-int64(before.StackInuse))/n, "stack-B/host")
		b.ReportMetric(float64(after.Sys-before.Sys)/n, "sys-B/host")
		for _, l := range loops {
			l.end(b)
		}
	}
}
