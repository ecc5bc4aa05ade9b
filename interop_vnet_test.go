package rtc_test

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
)

// inBubble runs a test in virtual time. It fails when a goroutine of either side is left over.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// newVNet is two machines in pion's virtual network, each packet delay on its way. pass, when given, decides what becomes of one.
func newVNet(t testing.TB, delay time.Duration, pass func(vnet.Chunk) bool) place {
	t.Helper()
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "192.0.2.0/24", MinDelay: delay, LoggerFactory: quiet})
	if err != nil {
		t.Fatal(err)
	}
	machine := func(addr string) *vnet.Net {
		n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{addr}})
		if err != nil {
			t.Fatal(err)
		}
		if err := router.AddNet(n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ours := &vnetRuntime{machine("192.0.2.1"), netip.MustParseAddr("192.0.2.1")}
	theirs := machine("192.0.2.2")
	if pass != nil {
		router.AddChunkFilter(pass)
	}
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := router.Stop(); err != nil {
			t.Error(err)
		}
	})
	return place{
		ours:     func(b rtc.Builder) rtc.Builder { return b.Runtime(ours) },
		theirs:   func(e *webrtc.SettingEngine) { e.SetNet(theirs) },
		deadline: 10 * time.Minute,
	}
}

// vnetRuntime is a machine with one address as a world for our connections.
type vnetRuntime struct {
	net  *vnet.Net
	addr netip.Addr
}

func (v *vnetRuntime) Now() time.Time  { return time.Now() }
func (v *vnetRuntime) Rand() io.Reader { return rand.Reader }

func (v *vnetRuntime) Interfaces() ([]runtime.Interface, error) {
	return []runtime.Interface{{Name: "eth0", Index: 1, MTU: 1500, Addrs: []netip.Addr{v.addr}}}, nil
}

func (v *vnetRuntime) Spawn(loop runtime.Loop) (runtime.Host, error) {
	h := &vnetHost{runtime: v, loop: loop, arrivals: make(chan vnetArrival), woken: make(chan struct{}, 1), ended: make(chan struct{})}
	go h.drive()
	return h, nil
}

// vnetHost drives one loop.
type vnetHost struct {
	runtime  *vnetRuntime
	loop     runtime.Loop
	arrivals chan vnetArrival
	woken    chan struct{}
	ended    chan struct{}

	mu      sync.Mutex
	sockets []*vnetSocket
	rest    sync.WaitGroup // readers and dispatchers
}

type vnetArrival struct {
	socket *vnetSocket
	runtime.Datagrams
}

func (h *vnetHost) drive() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case a := <-h.arrivals:
			h.loop.Receive(time.Now(), a.socket, &a.Datagrams)
		case <-h.woken:
		case <-timer.C:
		}
		next := h.loop.Turn(time.Now())
		if next.Done {
			break
		}
		if next.Events {
			h.rest.Go(h.loop.Dispatch)
		}
		timer.Stop()
		if !next.At.IsZero() {
			timer.Reset(time.Until(next.At))
		}
	}
	close(h.ended)
	h.mu.Lock()
	for _, s := range h.sockets {
		s.Close()
	}
	h.mu.Unlock()
	h.rest.Wait()
	h.loop.Released()
}

func (h *vnetHost) Wake() {
	select {
	case h.woken <- struct{}{}:
	default: // a Turn is coming
	}
}

// WakeAt has Turn called at once: what it returns is when it is due.
func (h *vnetHost) WakeAt(time.Time) { h.Wake() }

func (h *vnetHost) ListenUDP(_ context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	c, err := h.runtime.net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.runtime.addr, local.Port())))
	if err != nil {
		return nil, err
	}
	s := &vnetSocket{UDPConn: c, local: c.LocalAddr().(*net.UDPAddr).AddrPort()}
	s.local = netip.AddrPortFrom(s.local.Addr().Unmap(), s.local.Port())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets = append(h.sockets, s)
	h.rest.Go(func() { h.read(s) })
	return s, nil
}

func (h *vnetHost) read(s *vnetSocket) {
	for {
		buf := make([]byte, 2048)
		n, from, err := s.ReadFrom(buf)
		if err != nil {
			return // it was closed
		}
		remote := from.(*net.UDPAddr).AddrPort()
		remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
		select {
		case h.arrivals <- vnetArrival{s, runtime.Datagrams{Local: s.local, Remote: remote, Data: buf[:n]}}:
		case <-h.ended:
			return
		}
	}
}

type vnetSocket struct {
	transport.UDPConn
	local netip.AddrPort
}

func (s *vnetSocket) LocalAddr() netip.AddrPort { return s.local }
func (s *vnetSocket) MaxSegments() int          { return 1 }

func (s *vnetSocket) Send(d *runtime.Datagrams) error {
	to := net.UDPAddrFromAddrPort(d.Remote)
	for rest := d.Data; len(rest) > 0; {
		n := len(rest)
		if d.SegmentSize > 0 {
			n = min(n, d.SegmentSize)
		}
		if _, err := s.WriteTo(rest[:n], to); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (s *vnetSocket) Close() error {
	_ = s.UDPConn.Close() // fails only when it is closed already
	return nil
}
