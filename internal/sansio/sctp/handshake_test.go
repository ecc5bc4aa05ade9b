package sctp

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// initBody makes the body of INIT or INIT ACK.
func initBody(window uint32, outgoing, incoming uint16, params ...byte) []byte {
	return append(put32(put16(put16(put32(put32(nil, 7), window), outgoing), incoming), 1), params...)
}

// RFC 9260 section 5.1: "After the reception of the first DATA chunk in an association, the endpoint MUST immediately respond with a SACK
// chunk to acknowledge the DATA chunk."
func TestFirstDataIsAcknowledgedAtOnce(t *testing.T) {
	p, w := connected(t)
	base := p.end[0].received.base
	for i, want := range []int{1, 0} {
		answers := w.deliver(chunkData, flagB|flagE, dataBody(base+1+TSN(i), 0, uint16(i), "x"))
		if len(answers) != want || want == 1 && answers[0].typ != chunkSack {
			t.Errorf("DATA %d is answered by %+v", i, answers)
		}
	}
}

// RFC 9260 section 6.2: "When a packet arrives with duplicate DATA chunk(s) and with no new DATA chunk(s), the endpoint MUST immediately send a SACK chunk
// with no delay." It reports the duplicate.
func TestDuplicateIsAcknowledgedAtOnce(t *testing.T) {
	p, w := connected(t)
	base := p.end[0].received.base
	var answers []wireChunk
	for range 2 {
		answers = w.deliver(chunkData, flagB|flagE, dataBody(base+1, 0, 0, "x"))
	}
	if len(answers) != 1 || answers[0].typ != chunkSack {
		t.Fatalf("a duplicate is answered by %+v", answers)
	}
	if b := answers[0].body; TSN(be32(b)) != base+1 || be16(b[10:]) != 1 || TSN(be32(b[12:])) != base+1 {
		t.Errorf("SACK %x, want the duplicate %d", b, base+1)
	}
}

// RFC 9260 section 9.2: in SHUTDOWN-SENT the sender of SHUTDOWN "MUST immediately respond to each received packet containing one or more DATA chunks with a
// SHUTDOWN chunk".
func TestDataWhileShuttingDown(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	base := a.received.base
	a.Shutdown(p.now)
	w.take()
	if a.State() != StateShutdownSent {
		t.Fatalf("%v", a.State())
	}
	for i := range 3 {
		n := 0
		for _, c := range w.deliver(chunkData, flagB|flagE, dataBody(base+1+TSN(i), 0, uint16(i), "x")) {
			if c.typ == chunkShutdown {
				n++
			}
		}
		if n != 1 {
			t.Errorf("DATA %d is answered by %d SHUTDOWN", i, n)
		}
	}
}

// RFC 9260 section 5.1 C: with COOKIE ECHO DATA may go along, but "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets to the
// peer".
func TestNothingBeforeCookieAck(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: time.Millisecond})
	w, a := wireOf(p, 0), p.end[0]
	a.Start(p.now, 0)
	p.runUntil(time.Second, "COOKIE-ECHOED", func() bool { return a.State() == StateCookieEchoed })
	p.flush()
	p.send(0, 1, []byte("later"), reliable)
	if chunks := w.take(); len(chunks) > 0 {
		t.Errorf("sent %+v", chunks)
	}
	w.deliver(chunkCookieAck, 0, nil)
	if chunks := w.take(); a.State() != StateEstablished || p.end[0].sent.next == p.end[0].sent.cum+1 {
		t.Errorf("%v: sent %+v", a.State(), chunks)
	}
}

// RFC 9260 section 6.1: whoever retransmits "MUST restart the timer if the earliest (i.e., lowest TSN) outstanding DATA chunk […] is being retransmitted".
func TestT3RestartsWithTheEarliest(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	p.run(time.Second)
	first := a.sent.next
	for range 4 {
		p.send(0, 1, []byte("x"), reliable)
		w.take()
	}
	begun := a.timers[timerT3]
	p.now = p.now.Add(40 * time.Millisecond)
	sent := 0
	for i := range uint16(3) { // the first is missing
		sack := put16(put16(put16(put16(put32(put32(nil, uint32(first-1)), 1<<20), 1), 0), 2), 2+i)
		for _, c := range w.deliver(chunkSack, 0, sack) {
			if c.typ == chunkData || c.typ == chunkIData {
				sent++
			}
		}
	}
	if sent != 1 || a.timers[timerT3] <= begun {
		t.Errorf("%d chunks were sent again, and T3 is at %d, before at %d", sent, a.timers[timerT3], begun)
	}
}

// An INIT that has not left when the peer's comes is kept back; T1-init sends it if nothing comes of the peer's.
func TestInitYieldsToThePeers(t *testing.T) {
	w := wireOf(newPair(t, 1, simnetIdeal), 0)
	a := w.p.end[0]
	a.Start(w.p.now, 100*time.Millisecond)
	init := w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), initBody(1500, 5, 5)))
	if answers := w.deliverPacket(init); len(answers) != 1 || answers[0].typ != chunkInitAck {
		t.Errorf("before it has left: answers %+v", answers)
	}
	w.p.now = a.PollTimeout()
	a.HandleTimeout(w.p.now)
	if sent := w.take(); len(sent) != 1 || sent[0].typ != chunkInit {
		t.Errorf("after T1-init: sent %+v", sent)
	}
}

// RFC 9260 section 5.1.1: "the endpoint MUST use MIS outbound streams", which INIT ACK already says.
func TestInitAckAsksForNoMoreStreamsThanThereAre(t *testing.T) {
	for _, c := range []struct{ ours, theirs, want uint16 }{{1000, 10, 10}, {10, 1000, 10}} {
		w := wireOf(newPair(t, 1, simnetIdeal, Config{MaxStreams: int(c.ours)}), 0)
		answers := w.deliverPacket(w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), initBody(1500, 5, c.theirs))))
		if len(answers) != 1 {
			t.Fatalf("answers %+v", answers)
		}
		if v, ok := parseInit(answers[0].body); !ok || v.outgoing != c.want || v.incoming != c.ours {
			t.Errorf("%+v: INIT ACK with OS %d, MIS %d", c, v.outgoing, v.incoming)
		}
	}
}

// RFC 9260 section 3.3.3.1.2: each parameter that is to be reported comes back in an Unrecognized Parameter of its own, as it was.
func TestUnrecognizedParametersAreReportedOneByOne(t *testing.T) {
	w := wireOf(newPair(t, 1, simnetIdeal), 0)
	unknown := [][]byte{appendTLV(nil, 0xc0f0, nil), appendTLV(nil, 0xc0f1, []byte("abcde")), appendTLV(nil, 0xc0f2, []byte("last"))}
	answers := w.deliverPacket(w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), initBody(1500, 5, 5, bytes.Join(unknown, nil)...))))
	if len(answers) != 1 || answers[0].typ != chunkInitAck {
		t.Fatalf("answers %+v", answers)
	}
	n := 0
	for rest := answers[0].body[16:]; len(rest) > 0; {
		typ, value, next, ok := splitTLV(rest)
		if !ok {
			t.Fatalf("INIT ACK is damaged: %x", answers[0].body)
		}
		if typ == paramUnrecognized {
			head, reported, none, _ := splitTLV(value)
			if wantHead, want, _, _ := splitTLV(unknown[n]); head != wantHead || !bytes.Equal(reported, want) || len(none) > 0 {
				t.Errorf("report %d is %x", n, value)
			}
			n++
		}
		rest = next
	}
	if n != len(unknown) {
		t.Errorf("%d reports", n)
	}
}

// RFC 9260 section 3.2: "The Chunk Length field does not count any chunk padding", nor that of the last parameter.
func TestInitCountsNoPaddingOfItsLastParameter(t *testing.T) {
	for _, cfg := range []Config{{}, {Interleaving: true}, {ZeroChecksum: true}} {
		p := newPair(t, 1, simnetIdeal, cfg)
		n := 0
		p.onPacket = func(_ int, b []byte) bool {
			if typ := b[headerSize]; typ == chunkInit || typ == chunkInitAck {
				var last []byte
				for rest := b[headerSize+initHeader : headerSize+int(be16(b[headerSize+2:]))]; len(rest) > 0; {
					_, _, next, ok := splitTLV(rest)
					if !ok {
						t.Fatalf("%x is damaged", b)
					}
					last, rest = rest, next
				}
				if len(last) != int(be16(last[2:])) {
					t.Errorf("%+v: chunk %d counts the padding after %x", cfg, typ, last)
				}
				n++
			}
			return true
		}
		if p.connect(); n != 2 {
			t.Errorf("%d chunks", n)
		}
	}
}

// RFC 9260 sections 3.3.2 and 3.3.3: INIT without streams, with a window below 1500 bytes or with a host name is answered by ABORT and
// changes nothing; such an INIT ACK ends the attempt.
func TestUnusableInitAndInitAck(t *testing.T) {
	hostName := appendTLV(nil, paramHostName, []byte("example.org"))
	cookie := appendTLV(nil, paramCookie, []byte("cookie"))
	for _, c := range []struct {
		name  string
		body  []byte
		cause CauseCode
	}{
		{"small window", initBody(1499, 5, 5, cookie...), causeInvalidParameter},
		{"host name", initBody(1500, 5, 5, append(hostName, cookie...)...), causeUnresolvable},
	} {
		p, w := connected(t)
		answers := w.deliverPacket(w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), c.body)))
		if len(answers) != 1 || answers[0].typ != chunkAbort || answers[0].tag != 7 || be16(answers[0].body) != uint16(c.cause) {
			t.Errorf("INIT with %s is answered by %+v", c.name, answers)
		}
		if p.end[0].State() != StateEstablished {
			t.Errorf("INIT with %s ends the association", c.name)
		}

		w = wireOf(newPair(t, 1, simnetIdeal), 0)
		a := w.p.end[0]
		a.Start(w.p.now, 0)
		w.take()
		answers = w.deliver(chunkInitAck, 0, c.body)
		if len(answers) != 1 || answers[0].typ != chunkAbort || answers[0].tag != 7 || be16(answers[0].body) != uint16(c.cause) {
			t.Errorf("INIT ACK with %s is answered by %+v", c.name, answers)
		}
		var err *AbortError
		if e, ok := a.PollEvent(); !ok || !errors.As(e.Err, &err) || err.Remote || err.Cause != c.cause {
			t.Errorf("INIT ACK with %s: event %+v", c.name, e)
		}
	}
}

// RFC 9260 section 3.3.2: an INIT without outgoing or incoming streams is answered by ABORT, and changes nothing; so an INIT ACK, which section 3.3.3
// has end the attempt.
func TestInitAndInitAckWithoutStreams(t *testing.T) {
	cookie := appendTLV(nil, paramCookie, []byte("cookie"))
	for _, body := range [][]byte{initBody(1500, 0, 5, cookie...), initBody(1500, 5, 0, cookie...)} {
		p, w := connected(t)
		answers := w.deliverPacket(w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), body)))
		if len(answers) != 1 || answers[0].typ != chunkAbort || answers[0].tag != 7 || be16(answers[0].body) != uint16(causeInvalidParameter) {
			t.Errorf("INIT is answered by %+v", answers)
		}
		if p.end[0].State() != StateEstablished {
			t.Error("INIT ends the association")
		}

		wantRefused(t, "no streams", body)
	}
}

// wantRefused has an INIT ACK end the attempt.
func wantRefused(t *testing.T, what string, body []byte) {
	t.Helper()
	w := wireOf(newPair(t, 1, simnetIdeal), 0)
	a := w.p.end[0]
	a.Start(w.p.now, 0)
	w.take()
	w.deliver(chunkInitAck, 0, body)
	if a.State() != StateClosed {
		t.Errorf("after an INIT ACK with %s: %v", what, a.State())
	}
}

// RFC 9260 section 3.3.3: "If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the Initiate Tag set to 0, it MUST destroy the TCB".
// An INIT with that tag cannot even be answered.
func TestInitAndInitAckWithoutTag(t *testing.T) {
	body := initBody(1500, 5, 5, appendTLV(nil, paramCookie, []byte("cookie"))...)
	put32(body[:0], 0)
	wantRefused(t, "no tag", body)
	p, w := connected(t)
	if answers := w.deliverPacket(w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), body))); len(answers) != 0 || p.end[0].State() != StateEstablished {
		t.Errorf("INIT without a tag is answered by %+v", answers)
	}
}

// RFC 9260 section 8.5.1 E: a SHUTDOWN ACK while we connect is one out of the blue: it is answered with its own tag and the T bit, so that a
// peer that still ends an older association is done with it, and we go on connecting.
func TestShutdownAckWhileConnecting(t *testing.T) {
	for _, state := range []State{StateCookieWait, StateCookieEchoed} {
		p := newPair(t, 1, simnet.Config{Delay: time.Millisecond})
		w, a := wireOf(p, 0), p.end[0]
		a.Start(p.now, 0)
		p.runUntil(time.Second, state.String(), func() bool { return a.State() == state })
		p.flush()
		ack := appendTLV(nil, chunkHead(chunkShutdownAck, 0), nil)
		answers := w.deliverPacket(w.packet(99, ack, ack, ack))
		if len(answers) != 1 || answers[0].typ != chunkShutdownComplete || answers[0].flags != flagT || answers[0].tag != 99 {
			t.Errorf("%v: answers %+v", state, answers)
		}
		if a.State() != state {
			t.Errorf("%v becomes %v", state, a.State())
		}
		p.runUntil(time.Second, "connect", p.connected)
	}
}
