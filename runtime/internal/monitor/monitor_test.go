package monitor_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	goruntime "runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/loop"
	"github.com/sansrtc/rtc/runtime/std"
)

// peer is the variable that makes the test's program the other process, which sends a datagram there when it has been idle for a while.
const peer = "SEND_LATE_TO"

func TestMain(m *testing.M) {
	to := os.Getenv(peer)
	if to == "" {
		os.Exit(m.Run())
	}
	c, err := net.Dial("udp", to)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = c.Read(make([]byte, 1)) // nothing comes
	if _, err := c.Write([]byte("compute")); err != nil {
		panic(err)
	}
}

// busy is a loop whose handler computes when something has come, until it is gone on without.
type busy struct {
	host     runtime.Host
	handoffs func() uint64
	come     bool
	done     chan bool
	quit     atomic.Bool
	released chan struct{}
}

func (l *busy) Receive(time.Time, runtime.UDPSocket, *runtime.Datagrams) { l.come = true }
func (l *busy) SocketFailed(_ time.Time, _ runtime.UDPSocket, err error) { panic(err) }
func (l *busy) Released()                                                { close(l.released) }
func (l *busy) Turn(time.Time) (next runtime.Next) {
	next.Events, next.Done = l.come, l.quit.Load()
	l.come = false
	return next
}

func (l *busy) Dispatch() {
	found := false
	for end := time.Now().Add(5 * time.Second); !found && time.Now().Before(end); {
		found = l.handoffs() > 0
	}
	l.done <- found
}

// A handler that computes is found where one processor has nobody else to find it, also when a datagram of another process is what ends a silence: all that
// has run since then is the poller and the loop, and neither has told the scheduler of a system call.
func TestComputingAfterSilence(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(1))
	on := func(name string, rt runtime.Runtime, handoffs func() uint64) {
		l := &busy{handoffs: handoffs, done: make(chan bool, 1), released: make(chan struct{})}
		var err error
		if l.host, err = rt.Spawn(l); err != nil {
			t.Fatal(err)
		}
		s, err := l.host.ListenUDP(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		other := exec.Command(os.Args[0])
		other.Env = append(os.Environ(), peer+"="+s.LocalAddr().String())
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		if !<-l.done {
			t.Errorf("%s: a handler computes for five seconds, and nobody has taken over", name)
		}
		if err := other.Wait(); err != nil {
			t.Error(err)
		}
		l.quit.Store(true)
		l.host.Wake()
		<-l.released
	}
	one := std.New(std.Config{})
	on("std", one, func() uint64 { return one.Stats().Handoffs })
	few := loop.New(loop.Config{Workers: 1})
	on("loop", few, func() uint64 { return few.Stats().Handoffs })
}
