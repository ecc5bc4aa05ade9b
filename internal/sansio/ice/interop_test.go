package ice

//lint:file-ignore SA1019 the agent is made as pion/webrtc makes it

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"
)

// TestInteropPion connects with pion's agent, in both roles, over a simulated network in virtual time, and stays connected.
func TestInteropPion(t *testing.T) {
	for _, controlling := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) { interopPion(t, controlling) })
	}
}

func interopPion(t *testing.T, controlling bool) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "192.0.2.0/24", MinDelay: 20 * time.Millisecond, LoggerFactory: logging.NewDefaultLoggerFactory()})
	must(err)
	var nets [2]*vnet.Net
	for i, ip := range []string{"192.0.2.1", "192.0.2.2"} {
		nets[i], err = vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
		must(err)
		must(router.AddNet(nets[i]))
	}
	must(router.Start())

	theirs, err := pion.NewAgent(&pion.AgentConfig{Net: nets[1], NetworkTypes: []pion.NetworkType{pion.NetworkTypeUDP4}, MulticastDNSMode: pion.MulticastDNSModeDisabled})
	must(err)
	gathered := make(chan struct{})
	var lines []string
	must(theirs.OnCandidate(func(c pion.Candidate) {
		if c == nil {
			close(gathered)
			return
		}
		lines = append(lines, c.Marshal())
	}))
	must(theirs.GatherCandidates())
	<-gathered
	ufrag, pwd, err := theirs.GetLocalUserCredentials()
	must(err)

	rand := newSeeded(1)
	creds, _ := NewCredentials(rand)
	ours := New(Config{Rand: rand, Controlling: controlling, Local: creds})
	conn, err := nets[0].ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1000})
	must(err)
	base := addr("192.0.2.1:1000")
	own := HostCandidate(base, creds.Ufrag, 65535)
	ours.AddLocalCandidate(time.Now(), own)
	ours.EndOfLocalCandidates(time.Now())
	ours.SetRemote(time.Now(), Credentials{ufrag, pwd}, false)
	for _, line := range lines {
		c, err := ParseCandidate(line)
		must(err)
		must(ours.AddRemoteCandidate(time.Now(), c))
	}
	ours.EndOfRemoteCandidates(time.Now())

	connected := make(chan *pion.Conn, 1)
	go func() { // ends when it is connected, or refused
		c, err := pion.UnmarshalCandidate(own.String())
		if err == nil {
			err = theirs.AddRemoteCandidate(c)
		}
		var conn *pion.Conn
		if err == nil && controlling {
			conn, err = theirs.Accept(context.Background(), creds.Ufrag, creds.Pwd)
		} else if err == nil {
			conn, err = theirs.Dial(context.Background(), creds.Ufrag, creds.Pwd)
		}
		if err != nil {
			t.Error(err)
		}
		connected <- conn
	}()

	buf := make([]byte, 1500)
	greeted := false
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		for b, _, remote, ok := ours.PollWrite(time.Now(), nil); ok; b, _, remote, ok = ours.PollWrite(time.Now(), nil) {
			_, err := conn.WriteTo(b, net.UDPAddrFromAddrPort(remote))
			must(err)
		}
		select {
		case c := <-connected:
			_, err := c.Write([]byte("\x80hello"))
			must(err)
		default:
		}
		deadline := ours.PollTimeout()
		if deadline.IsZero() || deadline.After(end) {
			deadline = end
		}
		must(conn.SetReadDeadline(deadline))
		n, from, err := conn.ReadFrom(buf)
		if err != nil { // the deadline
			ours.HandleTimeout(time.Now())
		} else if remote := from.(*net.UDPAddr).AddrPort(); buf[0] <= 3 {
			ours.HandlePacket(time.Now(), base, netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port()), buf[:n])
		} else {
			greeted = ours.Accepts(base, netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port()))
		}
		ours.check(time.Now())
	}
	pair, err := theirs.GetSelectedCandidatePair()
	must(err)
	if _, remote, ok := ours.Route(); !ok || pair == nil || !greeted || int(remote.Port()) != pair.Local.Port() || ours.State() != StateCompleted {
		t.Errorf("controlling %v: route %v %v, pion %v, greeted %v, %v", controlling, remote, ok, pair, greeted, ours.State())
	}
	must(theirs.Close())
	must(conn.Close())
	must(router.Stop())
}
