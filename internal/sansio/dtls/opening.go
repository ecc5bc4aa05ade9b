package dtls

import (
	"bytes"
	"time"
)

// maxOpenings bounds how many ClientHellos a server answers: each costs a signature, and a flight to the peer's address. A client sends no
// more than 1+maxCookies.
const maxOpenings = 16

// openings are the ClientHellos that a client has sent, or a server has answered. None of them is authenticated: the first may be somebody
// else's, or the answer to somebody else's HelloVerifyRequest. So all are kept until the peer's next flight, which has a signature, has said
// which of them it is about.
type openings struct {
	all    []opening
	live   int        // whose flight Conn.flight is
	hellos reassembly // server: ClientHellos; they are in no order with the messages of the next flight
}

// opening is one of them, and the handshake as it was when its flight was made.
type opening struct {
	key    []byte // tells it from the others: client: the cookie; server: the whole ClientHello
	first  uint16 // message_seq with which the peer's next flight begins
	hs     handshake12
	flight flight // while another one is live
}

// What a server and a client must have before they answer with keys: a flight that one signature holds together.
var (
	flight4 = []uint8{typeServerHello, typeCertificate, typeServerKeyExchange, typeCertificateRequest, typeServerHelloDone}
	flight5 = []uint8{typeCertificate, typeClientKeyExchange, typeCertificateVerify}
)

// open keeps what has begun: Conn.hs and Conn.flight are about it.
func (c *Conn) open(key []byte, first uint16) {
	o := c.opening
	if len(o.all) == 0 || int16(first-c.in.next) < 0 {
		c.in.restart(first)
	}
	o.live = len(o.all)
	o.all = append(o.all, opening{key: key, first: first, hs: c.hs})
}

// setAside makes room in Conn.flight for another opening's.
func (c *Conn) setAside() {
	if o := c.opening; len(o.all) > 0 {
		o.all[o.live].flight = c.flight
	}
}

// reopen says whether there is an opening with that key. The peer has asked for its flight again.
func (c *Conn) reopen(now time.Time, key []byte) bool {
	o := c.opening
	for i := range o.all {
		if !bytes.Equal(o.all[i].key, key) {
			continue
		}
		c.stats.FragmentsDuplicate++
		if i != o.live {
			rto := c.flight.initialRTO
			c.setAside()
			c.flight, o.live = o.all[i].flight, i
			c.flight.initialRTO = rto
		}
		if c.flight.mayRepeat(now) {
			c.repeatFlight(now)
		}
		return true
	}
	return false
}

// deliverFlight hands the peer's flight to the handshake when all of it is there, so that what somebody else has sent of it counts only until
// the peer's own comes. If any of it cannot be accepted all is forgotten: what is refused may be true, and what it was held against forged.
func (c *Conn) deliverFlight(now time.Time) (accepted bool) {
	types := flight5
	if c.cfg.Client {
		types = flight4
	}
	all := c.opening.all
	for i := len(all) - 1; i >= 0; i-- {
		first := all[i].first
		if !c.isWhole(now, first, types) {
			continue
		}
		c.hs = all[i].hs
		for k := range types {
			m, _ := c.in.whole(first + uint16(k))
			if why := c.handleMessage(now, m); why != nil {
				c.noteRefusal(now, why)
				c.hs = all[len(all)-1].hs
				c.in.restart(c.in.next)
				return false
			}
			if c.state >= StateClosed {
				return false
			}
		}
		c.in.accept(first + uint16(len(types)-1))
		c.opening, c.refused = nil, nil
		return true
	}
	return false
}

// isWhole says whether the flight that begins with message_seq first is there. What cannot be part of it is dropped.
func (c *Conn) isWhole(now time.Time, first uint16, types []uint8) bool {
	for k, typ := range types {
		m, ok := c.in.whole(first + uint16(k))
		if !ok {
			return false
		}
		if m.typ != typ {
			if len(c.opening.all) == 1 {
				c.noteRefusal(now, refusef(AlertUnexpectedMessage, "peer sent handshake message %d where %d is due", m.typ, typ))
				c.in.reject(m.seq)
			}
			return false
		}
	}
	return true
}
