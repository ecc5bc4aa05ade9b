package udp

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// interfacesAge is how long a listing of the network interfaces is reused. Listing costs some hundred microseconds, and a server sets up
// many connections between two changes of its network.
const interfacesAge = time.Second

// Interfaces remembers the last listing of the network interfaces.
type Interfaces struct {
	mu   sync.Mutex // held while listing, so that many callers make one listing
	last []runtime.Interface
	at   time.Time
	err  error

	zones atomic.Pointer[zoneTable]
}

func (c *Interfaces) List() ([]runtime.Interface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.at.IsZero() || now.Sub(c.at) > interfacesAge {
		c.last, c.err = listInterfaces()
		c.at = now
		c.zones.Store(newZoneTable(c.last))
	}
	if c.err != nil {
		return nil, c.err
	}
	out := slices.Clone(c.last)
	for i := range out {
		out[i].Addrs = slices.Clone(out[i].Addrs)
	}
	return out, nil
}

func listInterfaces() ([]runtime.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []runtime.Interface
	for _, ifi := range all {
		if ifi.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // the interface went away since it was listed
		}
		i := runtime.Interface{Name: ifi.Name, Index: ifi.Index, MTU: ifi.MTU, Loopback: ifi.Flags&net.FlagLoopback != 0}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if a, ok := addrOf(n, ifi.Name); ok {
					i.Addrs = append(i.Addrs, a)
				}
			}
		}
		out = append(out, i)
	}
	return out, nil
}

func addrOf(n *net.IPNet, zone string) (netip.Addr, bool) {
	addr, ok := netip.AddrFromSlice(n.IP)
	addr = addr.Unmap()
	if addr.Is6() && addr.IsLinkLocalUnicast() {
		addr = addr.WithZone(zone)
	}
	return addr, ok
}

// zoneTable maps interface indices, which the system uses in addresses, to names, which people use, and back.
type zoneTable struct {
	names   map[uint32]string
	indices map[string]uint32
}

func newZoneTable(list []runtime.Interface) *zoneTable {
	t := &zoneTable{names: map[uint32]string{}, indices: map[string]uint32{}}
	for _, i := range list {
		t.names[uint32(i.Index)] = i.Name
		t.indices[i.Name] = uint32(i.Index)
	}
	return t
}

// ZoneName returns the zone of the interface with an index.
func (c *Interfaces) ZoneName(index uint32) string {
	if t := c.table(); t != nil {
		if name, ok := t.names[index]; ok {
			return name
		}
	}
	return strconv.FormatUint(uint64(index), 10)
}

// ZoneIndex returns the index of the interface that zone names; 0 means that there is none.
func (c *Interfaces) ZoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if t := c.table(); t != nil {
		if index, ok := t.indices[zone]; ok {
			return index
		}
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}

func (c *Interfaces) table() *zoneTable {
	if t := c.zones.Load(); t != nil {
		return t
	}
	_, _ = c.List() // an error leaves an empty table, and zones stay numbers
	return c.zones.Load()
}
