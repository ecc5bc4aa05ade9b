package ice

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
)

type transactionID = [stun.TransactionIDSize]byte

// attributes is the list that decoding and encoding fill.
type attributes []stun.RawAttribute

// lend makes a message of the caller's bytes.
func (l *attributes) lend(raw []byte) stun.Message {
	if *l == nil {
		*l = make(attributes, 0, 8) // as many as a check has that carries a datagram
	}
	return stun.Message{Raw: raw, Attributes: stun.Attributes((*l)[:0])}
}

// take takes the list back, without what refers to the caller's bytes.
func (l *attributes) take(m *stun.Message) {
	*l = attributes(m.Attributes)
	clear(*l)
}

const (
	headerSize = 20
	// maxPacket is larger than any Binding message between agents, which fits into one unfragmented datagram.
	maxPacket = 1500
	// maxQueued is how many packets wait to be polled: more than any one step makes.
	maxQueued = 256
)

type packetKind uint8

const (
	request packetKind = iota
	success
	failure
)

// packet is a STUN message that waits to be polled.
type packet struct {
	kind          packetKind
	gen           *generation
	id            transactionID
	local, remote netip.AddrPort

	// of a request
	priority                  uint32
	controlling, useCandidate bool

	// of a failure
	code     stun.ErrorCode
	unknown  [4]stun.AttrType
	unknowns int
}

func (a *Agent) write(p packet) {
	if len(a.out)-a.polled >= maxQueued {
		a.dropped.Unpolled++
		return
	}
	a.out = append(a.out, p)
}

// PollWrite appends the next STUN packet to dst. It is to be sent from local to remote.
func (a *Agent) PollWrite(_ time.Time, dst []byte) (b []byte, local, remote netip.AddrPort, ok bool) {
	if a.polled == len(a.out) {
		return dst, netip.AddrPort{}, netip.AddrPort{}, false
	}
	p := &a.out[a.polled]
	a.polled++
	b = a.encode(dst, p)
	local, remote = p.local, p.remote
	*p = packet{}
	if a.polled == len(a.out) {
		a.out, a.polled = a.out[:0], 0
	}
	a.slim()
	return b, local, remote, true
}

// slim gives up what is kept for the next message. While datagrams are embedded that follows soon; for the rest of its life an agent checks once in many
// seconds, and should be small.
func (a *Agent) slim() {
	if a.embed == nil && len(a.out) == 0 {
		a.out, a.attributes = nil, nil
	}
}

// PollResponse is PollWrite if what is next is a success response from local to remote that has at most size bytes.
func (a *Agent) PollResponse(now time.Time, dst []byte, local, remote netip.AddrPort, size int) (b []byte, ok bool) {
	if a.polled == len(a.out) || a.Embeds() {
		return dst, false
	}
	if p := &a.out[a.polled]; p.kind != success || p.local != local || p.remote != remote || successSize(remote) > size {
		return dst, false
	}
	b, _, _, ok = a.PollWrite(now, dst)
	return b, ok
}

// successSize is how long a success response is: a header, XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY and FINGERPRINT.
func successSize(remote netip.AddrPort) int {
	size := headerSize + 12 + 24 + 8
	if remote.Addr().Is6() {
		size += 12
	}
	return size
}

// encode appends p's bytes to dst.
func (a *Agent) encode(dst []byte, p *packet) []byte {
	m := a.attributes.lend(dst[len(dst):])
	m.TransactionID = p.id
	password := p.gen.local.Pwd
	var err error
	switch p.kind {
	case request:
		m.Type = stun.BindingRequest
		m.WriteHeader()
		password = p.gen.remote.Pwd
		var username [32]byte // as long as those of all known stacks
		m.Add(stun.AttrUsername, append(append(append(username[:0], p.gen.remote.Ufrag...), ':'), p.gen.local.Ufrag...))
		role := stun.AttrICEControlled
		if p.controlling {
			role = stun.AttrICEControlling
		}
		var number [8]byte
		binary.BigEndian.PutUint64(number[:], a.tieBreaker)
		m.Add(role, number[:])
		if p.useCandidate {
			m.Add(stun.AttrUseCandidate, nil)
		}
		binary.BigEndian.PutUint32(number[:], p.priority)
		m.Add(stun.AttrPriority, number[:4])
		a.appendEmbedding(&m, p)
	case success:
		m.Type = stun.BindingSuccess
		m.WriteHeader()
		err = stun.XORMappedAddress{IP: p.remote.Addr().WithZone("").AsSlice(), Port: int(p.remote.Port())}.AddTo(&m)
		a.appendEmbedding(&m, p)
	case failure:
		m.Type = stun.BindingError
		m.WriteHeader()
		err = p.code.AddTo(&m)
		if err == nil && p.unknowns > 0 {
			err = stun.UnknownAttributes(p.unknown[:p.unknowns]).AddTo(&m)
		}
	}
	if err == nil {
		addIntegrity(&m, password)
		err = stun.Fingerprint.AddTo(&m)
	}
	if err != nil {
		panic("BUG: ice: encoding: " + err.Error())
	}
	a.attributes.take(&m)
	return append(dst, m.Raw...) // which is there already, unless it had no room
}

// decode reads a Binding message from m.Raw, and counts why not.
func decode(m *stun.Message, n *Dropped) bool {
	b := m.Raw
	// The length is that of the message without its header, and a multiple of 4, RFC 8489 section 5.
	if len(b) < headerSize || len(b) > maxPacket || b[0]&0xc0 != 0 || len(b)%4 != 0 ||
		int(binary.BigEndian.Uint16(b[2:])) != len(b)-headerSize || m.Decode() != nil {
		n.Malformed++
		return false
	}
	if m.Type.Method != stun.MethodBinding || m.Type.Class == stun.ClassIndication {
		n.Unexpected++
		return false
	}
	// FINGERPRINT MUST be the last attribute, RFC 8489 section 14.7. ICE uses it in all messages, of which requests are held to it here.
	last := len(m.Attributes) - 1
	has := m.Contains(stun.AttrFingerprint)
	if !has && m.Type.Class == stun.ClassRequest ||
		has && (m.Attributes[last].Type != stun.AttrFingerprint || stun.Fingerprint.Check(m) != nil) {
		n.Fingerprint++
		return false
	}
	return true
}

// mappedAddress reads XOR-MAPPED-ADDRESS, whose size has to be that of its family.
func mappedAddress(m *stun.Message) (netip.AddrPort, bool) {
	var mapped stun.XORMappedAddress
	v, err := m.Get(stun.AttrXORMappedAddress)
	if err != nil || len(v) != 8 && len(v) != 20 || (len(v) == 20) != (v[1] == 2) || mapped.GetFrom(m) != nil {
		return netip.AddrPort{}, false
	}
	addr, ok := netip.AddrFromSlice(mapped.IP)
	return netip.AddrPortFrom(addr.Unmap(), uint16(mapped.Port)), ok
}

// unknownAttributes lists the comprehension-required attributes that are not understood, as far as they fit into one answer.
func unknownAttributes(m *stun.Message) (list [4]stun.AttrType, n int) {
	for _, attr := range m.Attributes {
		if n < len(list) && attr.Type.Required() && !understood(attr.Type) {
			list[n] = attr.Type
			n++
		}
	}
	return list, n
}

func understood(t stun.AttrType) bool {
	switch t {
	case stun.AttrMappedAddress, stun.AttrUsername, stun.AttrMessageIntegrity, stun.AttrErrorCode, stun.AttrUnknownAttributes,
		stun.AttrRealm, stun.AttrNonce, stun.AttrMessageIntegritySHA256, stun.AttrXORMappedAddress, stun.AttrPriority,
		stun.AttrUseCandidate:
		return true
	}
	return false
}

// attr64 and attr32 read an attribute that has exactly that size.
func attr64(m *stun.Message, t stun.AttrType) (uint64, bool) {
	v, err := m.Get(t)
	if err != nil || len(v) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(v), true
}

func attr32(m *stun.Message, t stun.AttrType) (uint32, bool) {
	v, err := m.Get(t)
	if err != nil || len(v) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(v), true
}
