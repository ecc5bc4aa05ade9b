package rtc

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// gather opens the sockets, once, and tells the core their addresses. It runs on the goroutine that has set the local description; no
// step of it waits for the network.
func (l *loop) gather() {
	l.gathering.Lock()
	defer l.gathering.Unlock()
	l.mu.Lock()
	wanted := !l.closed && l.core.TakeGather()
	relayOnly := l.pc.builder.configuration.ICETransportPolicy == ICETransportPolicyRelay
	servers := l.pc.builder.configuration.ICEServers
	sockets := slices.Clone(l.sockets)
	l.mu.Unlock()
	if !wanted {
		return
	}
	// Filters are user code, and opening sockets takes its time: neither under mu.
	var addrs []netip.AddrPort
	opened := len(sockets) == 0 && !relayOnly
	if opened {
		sockets = l.openSockets()
	}
	if !relayOnly {
		addrs = l.hostAddrs(sockets)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if opened {
		if l.closed {
			for _, s := range sockets {
				s.Close()
			}
			return
		}
		l.sockets = sockets
		l.core.SetWholeDatagrams(!slices.ContainsFunc(sockets, mayFragment))
	}
	l.claimUfrag()
	now := l.now()
	for i, a := range addrs {
		// RFC 8445 section 5.1.2.1: the local preference tells addresses of one kind apart; the first is the best.
		l.core.AddLocalCandidate(now, a, uint16(65535-i))
	}
	for _, s := range servers {
		for _, u := range s.URLs {
			l.core.ReportUnusedServer(u)
		}
	}
	l.core.EndOfLocalCandidates(now)
	l.gathered.reach()
	l.settle(now)
}

func mayFragment(s runtime.UDPSocket) bool {
	w, ok := s.(runtime.WholeSocket)
	return !ok || !w.WholeDatagrams()
}

// claimUfrag tells the sockets that share a port which checks are theirs. It is called with mu held.
func (l *loop) claimUfrag() {
	ufrag := l.core.LocalUfrag()
	for _, s := range l.sockets {
		if c, ok := s.(runtime.UfragClaimer); ok && ufrag != "" {
			if err := c.ClaimUfrag(ufrag); err != nil {
				l.pc.log.Warnf("claim the username fragment on %v: %v", s.LocalAddr(), err)
			}
		}
	}
}

func (l *loop) openSockets() (sockets []runtime.UDPSocket) {
	listen := l.listen
	if len(listen) == 0 {
		listen = []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Unspecified(), 0)}
	}
	for _, a := range listen {
		s, err := l.host.ListenUDP(context.Background(), a)
		if err != nil {
			l.pc.log.Warnf("listen on %v: %v", a, err)
			continue
		}
		sockets = append(sockets, s)
	}
	return sockets
}

// hostAddrs are the addresses of the sockets, those of unspecified ones spelled out, best first: IPv6 before IPv4 (RFC 8421 section 4 would put
// some IPv6 ones first and mix the others), loopback last and only if there is nothing else or it was asked for.
func (l *loop) hostAddrs(sockets []runtime.UDPSocket) (addrs []netip.AddrPort) {
	var own []netip.Addr
	for _, s := range sockets {
		a := s.LocalAddr()
		if !a.Addr().IsUnspecified() {
			addrs = append(addrs, a)
			continue
		}
		if own == nil {
			own = l.interfaceAddrs()
		}
		for _, ip := range own {
			if a.Addr().Is6() || ip.Is4() {
				addrs = append(addrs, netip.AddrPortFrom(ip, a.Port()))
			}
		}
	}
	return addrs
}

func (l *loop) interfaceAddrs() []netip.Addr {
	o := &l.pc.builder.ice
	interfaces, err := l.pc.builder.runtime.Interfaces()
	if err != nil {
		l.pc.log.Warnf("interfaces: %v", err)
	}
	var usable, linkLocal, loopback []netip.Addr
	for _, i := range interfaces {
		if o.InterfaceFilter != nil && !o.InterfaceFilter(i.Name) {
			continue
		}
		for _, ip := range i.Addrs {
			if o.IPFilter != nil && !o.IPFilter(ip) {
				continue
			}
			switch {
			case i.Loopback || ip.IsLoopback():
				loopback = append(loopback, ip)
			case ip.IsLinkLocalUnicast():
				linkLocal = append(linkLocal, ip)
			default:
				usable = append(usable, ip)
			}
		}
	}
	// RFC 8445 section 5.1.1.1: "Addresses from a loopback interface MUST NOT be included in the candidate addresses." A machine without
	// a network has nothing else, and its programs still talk to each other.
	if o.IncludeLoopback || len(usable)+len(linkLocal) == 0 {
		linkLocal = append(linkLocal, loopback...)
	}
	slices.SortStableFunc(usable, func(a, b netip.Addr) int { return b.BitLen() - a.BitLen() })
	return append(usable, linkLocal...)
}

// dropSocket forgets a socket that has failed, and its candidates.
func (l *loop) dropSocket(now time.Time, s runtime.UDPSocket) {
	i := slices.Index(l.sockets, s)
	if i < 0 {
		return
	}
	l.sockets = slices.Delete(l.sockets, i, i+1)
	s.Close()
	a := s.LocalAddr()
	if !a.Addr().IsUnspecified() {
		l.core.RemoveLocalCandidate(now, a)
		return
	}
	l.core.RemoveLocalPort(now, a.Port())
}
