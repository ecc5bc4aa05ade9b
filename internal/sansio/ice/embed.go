package ice

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strconv"
	"time"

	"github.com/pion/stun/v4"
)

// Checks and their responses can carry the datagrams of a handshake that is to follow on the path they try: draft-hancke-webrtc-sped. What they
// are is for the owner to know, who gives a flight of them to Embed, and is given those of the peer by HandlePacket.

const (
	attrEmbedded     = stun.AttrDtlsInStun    // one datagram
	attrEmbeddedAcks = stun.AttrDtlsInStunAck // CRC-32s of datagrams that were received
)

const (
	maxAcks = 4
	// maxEmbedding is the size of a check that carries a datagram: what every path carries that WebRTC is used on.
	maxEmbedding = 1200
	// integritySize is what MESSAGE-INTEGRITY and FINGERPRINT take.
	integritySize = 24 + 8
	// embeddingPairs are the pairs of the highest priority, on which datagrams leave before anything has come from there, and maxUnproven is how many
	// bytes of them may go to where nothing has answered: ten full packets, a sender's first window (RFC 8445 appendix B.1). A peer may name
	// candidates that are not its own.
	embeddingPairs = 4
	maxUnproven    = 14600
)

// Where all that is missing is the answer to a check, it is asked for again every hurryInterval, which is the Ta of RFC 8445 section 14.2, at most
// maxHurried times.
const (
	hurryInterval = 50 * time.Millisecond
	maxHurried    = 16
)

// EmbeddingState says how far the embedding of datagrams has come.
type EmbeddingState uint8

// The states of embedding. It only ever moves down this list.
const (
	EmbeddingNone      EmbeddingState = iota // not wanted
	EmbeddingReady                           // what the peer embeds is taken; nothing is embedded before the peer has done so, or has agreed to it
	EmbeddingTentative                       // agreed on, and not seen yet
	EmbeddingConfirmed                       // the peer does it
	EmbeddingPending                         // our handshake is complete, the peer's may not be
	EmbeddingComplete
	EmbeddingOff // the peer does not do it, or something on the path takes it out
)

func (s EmbeddingState) String() string {
	switch s {
	case EmbeddingNone:
		return "none"
	case EmbeddingReady:
		return "ready"
	case EmbeddingTentative:
		return "tentative"
	case EmbeddingConfirmed:
		return "confirmed"
	case EmbeddingPending:
		return "pending"
	case EmbeddingComplete:
		return "complete"
	case EmbeddingOff:
		return "off"
	}
	return "EmbeddingState(" + strconv.Itoa(int(s)) + ")"
}

// EmbeddingStats are the figures of embedding.
type EmbeddingStats struct {
	State              EmbeddingState
	Sent, Received     uint64 // messages with one of the two attributes
	DataSent           uint64 // those with a datagram
	DataReceived       uint64
	DataReceivedBefore uint64 // those of DataReceived that had come before, and were not given to the owner
}

// embedding is what there is while datagrams are embedded.
type embedding struct {
	flight   []embedded // what the peer is to have, without what it has acknowledged
	next     int        // the one whose turn it is
	received []uint32   // CRC-32s of the last datagrams that came, the oldest first
	unproven int        // bytes of datagrams that went to pairs that have not answered

	began   time.Time     // when the first flight was there
	trip    time.Duration // from then until the peer has shown that it has got some of ours, which is a round trip or more; zero: it has not
	hurried int           // checks that hurry has made
	loses   bool          // something was lost on the path
}

// embedded is a datagram of our flight.
type embedded struct {
	data   []byte
	sum    uint32
	via    *pair // the pair that it has left by last; nil: it has not
	twice  bool  // it is to leave by itself even if it has left in a check
	joined bool  // it has left once more, with data
}

// AgreeEmbedding tells whether both sides have said that they embed datagrams. It is to be told before SetRemote.
func (a *Agent) AgreeEmbedding(agreed bool) {
	switch {
	case agreed && a.embedding.State == EmbeddingReady:
		a.becomeEmbedding(EmbeddingTentative)
	case !agreed && a.embedding.State == EmbeddingTentative: // another answer had agreed
		a.becomeEmbedding(EmbeddingOff)
	}
}

// Embeds tells whether the datagrams of the handshake are to be given to Embed.
func (a *Agent) Embeds() bool {
	return a.embedding.State >= EmbeddingTentative && a.embedding.State <= EmbeddingPending
}

// Embed takes the datagrams of a flight, in the place of the one before; again: they were in one before. They leave in the checks and responses that are
// sent anyway, and by PollFlight. Where there are none and no route, a check to the pair that the peer is heard on is repeated at once.
//
// On a path that loses, which a flight that is sent again shows as well, they leave twice when there is a route: by themselves, and in a check, whose
// response brings what the peer has to say.
func (a *Agent) Embed(now time.Time, flight [][]byte, again bool) {
	if !a.Embeds() {
		panic("BUG: ice: a flight in embedding state " + a.embedding.State.String())
	}
	e := a.embed
	if e.began.IsZero() {
		e.began = now
	}
	e.loses = e.loses || again
	e.flight, e.next = make([]embedded, len(flight)), 0
	for i, b := range flight {
		e.flight[i] = embedded{data: b, sum: crc32.ChecksumIEEE(b), twice: e.loses}
	}
	if a.route != nil && e.loses && len(flight) > 0 {
		a.ask(a.route, now)
	}
	if a.route != nil || a.polled < len(a.out) {
		return
	}
	for _, p := range a.cur.pairs {
		if p.authentic && p.state == PairInProgress {
			p.enqueue()
			a.advance(now)
			return
		}
	}
}

// PollFlight appends the next datagram of the flight that is to leave by the route and has not left that way in a check or response, or is to leave
// twice. To be asked when PollWrite has nothing more.
func (a *Agent) PollFlight(dst []byte) ([]byte, bool) {
	e := a.embed
	if e == nil || a.route == nil {
		return dst, false
	}
	i := slices.IndexFunc(e.flight, func(d embedded) bool { return d.via != a.route || d.twice })
	if i < 0 {
		return dst, false
	}
	dst = append(dst, e.flight[i].data...)
	e.flight[i].via, e.flight[i].twice = a.route, false
	if a.embedding.State >= EmbeddingComplete {
		e.remove(i)
		a.dropEmbedding()
	}
	return dst, true
}

// PeekFlight appends a datagram of the flight for data to join that is about to leave by the route: each does so once, since nobody has acknowledged
// it, and a datagram more would cost more than its bytes. JoinFlight tells that data has joined it.
func (a *Agent) PeekFlight(dst []byte) ([]byte, bool) {
	if a.route == nil || !a.Embeds() {
		return dst, false
	}
	i := a.embed.unjoined()
	if i < 0 {
		return dst, false
	}
	return append(dst, a.embed.flight[i].data...), true
}

// JoinFlight tells that what PeekFlight gave leaves.
func (a *Agent) JoinFlight() { a.embed.flight[a.embed.unjoined()].joined = true }

func (e *embedding) unjoined() int {
	return slices.IndexFunc(e.flight, func(d embedded) bool { return !d.joined })
}

// HandleDatagram tells of a datagram of the peer's flight that came by itself, to be acknowledged with those that were embedded.
func (a *Agent) HandleDatagram(b []byte) {
	if a.Embeds() {
		a.embed.receive(crc32.ChecksumIEEE(b))
	}
}

// EndEmbedding tells that the handshake is complete at this end. What the peer may need to complete it goes on to be embedded until the peer shows
// that it is complete too.
func (a *Agent) EndEmbedding(now time.Time) {
	if a.embed != nil {
		a.embed.heard(now)
	}
	switch a.embedding.State {
	case EmbeddingReady:
		a.becomeEmbedding(EmbeddingOff)
	case EmbeddingTentative, EmbeddingConfirmed:
		a.becomeEmbedding(EmbeddingPending)
	}
}

// Rest gives back what is not needed on a path that is quiet.
func (a *Agent) Rest() {
	if a.embedding.State == EmbeddingPending && a.route != nil {
		a.becomeEmbedding(EmbeddingComplete)
	}
	if len(a.events) == 0 {
		a.events = nil
	}
	a.slim()
}

func (a *Agent) becomeEmbedding(s EmbeddingState) {
	if s <= a.embedding.State || a.embed == nil {
		panic("BUG: ice: embedding goes from " + a.embedding.State.String() + " to " + s.String())
	}
	a.embedding.State = s
	switch s {
	case EmbeddingComplete: // what has never left, as an answer to the peer's last word, still does
		a.embed.flight = slices.DeleteFunc(a.embed.flight, func(d embedded) bool { return d.via != nil })
	case EmbeddingOff: // what was lost with the attributes leaves again, by itself
		for i := range a.embed.flight {
			a.embed.flight[i].via = nil
		}
	}
	a.dropEmbedding()
}

// dropEmbedding lets go of embedding when it is over.
func (a *Agent) dropEmbedding() {
	if a.embedding.State >= EmbeddingComplete && len(a.embed.flight) == 0 {
		a.embed = nil
	}
}

// heard notes that the peer has got something of ours.
func (e *embedding) heard(now time.Time) {
	if e.trip == 0 && !e.began.IsZero() {
		e.trip = max(now.Sub(e.began), 1)
	}
}

// hurryAt is when, and on which pair, a check is to be repeated ahead of its time, because there is no route though the peer has got what we have embedded:
// the way is open, and what was lost is an answer. On a path that loses nothing it comes with what shows that, or before.
func (a *Agent) hurryAt() (p *pair, at time.Time) {
	e := a.embed
	if e == nil || e.trip == 0 || e.hurried == maxHurried || a.route != nil {
		return nil, at
	}
	i := slices.IndexFunc(a.cur.pairs, func(p *pair) bool { return p.authentic && p.state == PairInProgress })
	if i < 0 {
		return nil, at
	}
	p = a.cur.pairs[i]
	// The answers have to come before their checks are forgotten.
	return p, p.lastSent.Add(max(hurryInterval, 2*e.trip/maxTransactions))
}

func (a *Agent) hurry(now time.Time) {
	if p, at := a.hurryAt(); p != nil && !now.Before(at) {
		a.embed.hurried++
		a.begin(p, now)
	}
}

// handleEmbedding takes what an authenticated request, or a response to t, has of embedding, and returns the datagram if there is a new one.
func (a *Agent) handleEmbedding(now time.Time, m *stun.Message, t *transaction) (datagram []byte) {
	e := a.embed
	if e == nil || a.embedding.State >= EmbeddingComplete || t != nil && !t.embeds {
		return nil
	}
	acks, noAcks := m.Get(attrEmbeddedAcks)
	data, noData := m.Get(attrEmbedded)
	if noAcks != nil && noData != nil {
		switch a.embedding.State {
		case EmbeddingTentative:
			a.becomeEmbedding(EmbeddingOff)
		case EmbeddingPending: // it has completed, and so has our flight come to it
			a.becomeEmbedding(EmbeddingComplete)
		}
		return nil
	}
	a.embedding.Received++
	if a.embedding.State < EmbeddingConfirmed {
		a.becomeEmbedding(EmbeddingConfirmed)
	}
	for n := 0; n < maxAcks && len(acks) >= 4; n++ {
		if e.acknowledge(binary.BigEndian.Uint32(acks)) {
			e.heard(now)
		}
		acks = acks[4:]
	}
	if t != nil && t.carries && noAcks == nil {
		e.acknowledge(t.sum) // whoever answers and says what it has got has got the request
	}
	if noData == nil {
		datagram = a.takeEmbedded(data)
	}
	if a.embedding.State == EmbeddingPending && len(e.flight) == 0 {
		a.becomeEmbedding(EmbeddingComplete)
	}
	return datagram
}

// takeEmbedded returns the datagram if it is one and new. RFC 7983 section 7: what begins with 20 to 63 is DTLS, whose shortest record has 13 bytes.
func (a *Agent) takeEmbedded(data []byte) []byte {
	if len(data) < 13 || data[0] < 20 || data[0] > 63 {
		a.dropped.Embedded++
		return nil
	}
	a.embedding.DataReceived++
	if !a.embed.receive(crc32.ChecksumIEEE(data)) {
		a.embedding.DataReceivedBefore++
		return nil
	}
	return data
}

// receive notes that a datagram has come, and says whether it is new.
func (e *embedding) receive(sum uint32) bool {
	if slices.Contains(e.received, sum) {
		return false
	}
	if len(e.received) == maxAcks {
		e.received = slices.Delete(e.received, 0, 1)
	}
	e.received = append(e.received, sum)
	return true
}

// acknowledge forgets a datagram that the peer has, and says whether there was one.
func (e *embedding) acknowledge(sum uint32) (news bool) {
	i := slices.IndexFunc(e.flight, func(d embedded) bool { return d.sum == sum })
	if i >= 0 {
		e.remove(i)
	}
	return i >= 0
}

func (e *embedding) remove(i int) {
	e.flight = slices.Delete(e.flight, i, i+1)
	if e.next > i {
		e.next--
	}
}

// appendEmbedding adds to a request or success response what is to be embedded in it. It is asked when the message leaves, so that the response to a
// request may have the answer to what that has brought.
func (a *Agent) appendEmbedding(m *stun.Message, p *packet) {
	if !a.Embeds() {
		return
	}
	e := a.embed
	var value [4 * maxAcks]byte
	for i, sum := range e.received {
		binary.BigEndian.PutUint32(value[4*i:], sum)
	}
	m.Add(attrEmbeddedAcks, value[:4*len(e.received)]) // which fit, beside a USERNAME of 513 bytes
	a.embedding.Sent++
	room := maxEmbedding - len(m.Raw) - integritySize

	var to *pair
	var t *transaction
	if p.kind == request {
		var i int
		if to, i = a.transaction(p.id); to != nil {
			t = &to.transactions[i]
			t.embeds = true
		}
	} else {
		to = p.gen.find(p.local, p.remote)
	}
	if to == nil || len(e.flight) == 0 {
		return // it was given up since
	}
	i := e.next % len(e.flight)
	d := &e.flight[i]
	if size := (4 + len(d.data) + 3) &^ 3; size > room || !a.mayEmbed(to, len(d.data)) {
		return
	}
	m.Add(attrEmbedded, d.data)
	if t != nil {
		t.sum, t.carries = d.sum, true
	}
	a.embedding.DataSent++
	d.via = to
	e.next = i + 1
}

// mayEmbed says whether a datagram of n bytes may go to a pair, and accounts for it if the pair has not answered.
func (a *Agent) mayEmbed(p *pair, n int) bool {
	if !p.consented.IsZero() {
		return true
	}
	if a.embed.unproven+n > maxUnproven || !p.authentic && slices.Index(p.gen.pairs, p) >= embeddingPairs {
		return false
	}
	a.embed.unproven += n
	p.unproven += n
	return true
}

// prove gives back what the pair, which has answered, has taken of the limit.
func (a *Agent) prove(p *pair) {
	if a.embed != nil {
		a.embed.unproven -= p.unproven
	}
	p.unproven = 0
}
