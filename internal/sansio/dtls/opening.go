package dtls

import (
	"bytes"
	"slices"
	"time"
)

// maxOpenings bounds how many ClientHellos a server answers: each costs a signature, and a flight to the peer's address. A client sends no
// more than 1+maxCookies.
const maxOpenings = 16

// maxAnswers bounds the ServerHellos of 1.3 of which a client has the keys ready, and maxConsidered those that it derives keys of at all: each costs
// an agreement.
const (
	maxAnswers    = 4
	maxConsidered = 256
)

// openings are the ClientHellos that a client has sent, or a server has answered. None of them is authenticated: the first may be somebody
// else's, or the answer to somebody else's HelloVerifyRequest or HelloRetryRequest. So all are kept until the peer's next flight has said which
// of them it is about: that of 1.2 has a signature, that of 1.3 is in records which only the keys of one of them open.
type openings struct {
	all    []opening
	live   int        // whose flight Conn.flight is
	hellos reassembly // server: ClientHellos; they are in no order with the messages of the next flight
	// Client: what ServerHellos of 1.3 make of the openings, as they may be anybody's too.
	answers    []answer
	considered int // how many there were
}

// opening is one of them, and the handshake as it was when its flight was made.
type opening struct {
	key    []byte // tells it from the others: client: the cookie, or the whole HelloRetryRequest; server: the whole ClientHello
	first  uint16 // message_seq with which the peer's next flight begins
	hs     handshake
	flight flight // while another one is live
}

// answer is a ServerHello of 1.3, and the handshake as it is behind it.
type answer struct {
	raw   []byte
	first uint16 // message_seq of what follows
	hs    handshake
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
	c.unacked, c.acks = c.hs.handshakeKeys(), acks{}
}

// setAside makes room in Conn.flight for another opening's.
func (c *Conn) setAside() {
	if o := c.opening; len(o.all) > 0 {
		o.all[o.live].flight = c.flight
	}
}

// turnTo makes an opening the live one.
func (c *Conn) turnTo(i int) {
	o := c.opening
	if i == o.live {
		return
	}
	rto, steady := c.flight.initialRTO, c.flight.steady
	c.setAside()
	c.flight, o.live = o.all[i].flight, i
	c.flight.initialRTO, c.flight.steady = rto, steady
	c.unacked, c.acks = o.all[i].hs.handshakeKeys(), acks{}
}

// turnOpening gives a former ClientHello its turn when the last one is not answered, now and then: what it was an answer to may have been somebody
// else's, and the server have got none of ours.
func (c *Conn) turnOpening() {
	o := c.opening
	if !c.cfg.Client || o == nil || len(o.all) < 2 {
		return
	}
	sends, i := c.flight.sends, len(o.all)-1
	if sends%turnEvery == 0 {
		i = sends / turnEvery % len(o.all)
	}
	c.turnTo(i)
	c.flight.sends = sends
}

// turnEvery is how many times the last ClientHello is sent for each time that a former one is.
const turnEvery = 3

// reopen says whether there is an opening with that key. The peer has asked for its flight again.
func (c *Conn) reopen(now time.Time, key []byte) bool {
	o := c.opening
	for i := range o.all {
		if !bytes.Equal(o.all[i].key, key) {
			continue
		}
		c.stats.FragmentsDuplicate++
		c.turnTo(i)
		if c.flight.mayRepeat(now) {
			c.repeatFlight(now)
		}
		return true
	}
	return false
}

// settle opens a record of epoch 2 with the keys of an opening or answer, which is the one that counts then.
func (c *Conn) settle(r record13) (plain []byte, typ uint8, seq uint64, settled bool) {
	o := c.opening
	if c.cfg.Client {
		for i := len(o.answers) - 1; i >= 0; i-- {
			a := &o.answers[i]
			if plain, typ, seq, settled = a.hs.v13.open(r); settled {
				c.flight.begin(time.Time{}) // answered, though not completely
				c.begin13(a.hs, a.first)
				return plain, typ, seq, true
			}
		}
		return nil, 0, 0, false
	}
	for i := len(o.all) - 1; i >= 0; i-- {
		a := &o.all[i]
		if a.hs.handshakeKeys() == nil {
			continue
		}
		if plain, typ, seq, settled = a.hs.v13.open(r); settled {
			c.turnTo(i)
			c.begin13(a.hs, a.first)
			return plain, typ, seq, true
		}
	}
	return nil, 0, 0, false
}

// settleEarly is settle with the records that came before the keys. They stay for openEarly, all of them.
func (c *Conn) settleEarly() bool {
	return slices.ContainsFunc(c.early.records, func(raw []byte) bool {
		r, _, ok := parseRecord13(raw)
		if ok {
			_, _, _, ok = c.settle(r)
		}
		return ok
	})
}

// begin13 goes on with a handshake of 1.3 whose keys the peer has, and message_seq first.
func (c *Conn) begin13(hs handshake, first uint16) {
	c.hs = hs
	c.read, c.unacked = hs.v13.read, hs.v13.write
	c.opening, c.refused = nil, nil
	c.in.restart(first)
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
		if c.cfg.Client && all[i].hs.isRetried() || !c.cfg.Client && all[i].hs.v13 != nil {
			continue // it is 1.3
		}
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
		c.opening, c.refused, c.unacked, c.acks = nil, nil, nil, acks{}
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
