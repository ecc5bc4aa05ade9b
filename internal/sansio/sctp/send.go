package sctp

import "time"

// SendParams says how a message is delivered.
type SendParams struct {
	Unordered      bool
	MaxRetransmits int32         // how often each of its chunks may be sent again; negative: no limit
	Lifetime       time.Duration // how long it may be sent; 0 or negative: no limit
	Recycle        bool          // Config.Recycle is to get data
}

// Send queues a message and takes ownership of data, which is never modified and let go of when the peer has it. Before the association
// is established messages wait; as many as fit go along with COOKIE ECHO. The error is ErrClosed, ErrEmptyMessage, ErrMessageTooLarge,
// ErrStreamID or ErrStreamResetting.
func (a *Association) Send(now time.Time, id StreamID, ppid PPID, data []byte, p SendParams) error {
	m, st, err := a.prepare(now, id, ppid, len(data), p)
	if err != nil {
		return err
	}
	m.data, m.recycle = data, p.Recycle && a.cfg.Recycle != nil
	a.sched.enqueue(st, m)
	return nil
}

// SendCopy is Send that leaves data to the caller: it is copied, and small copies have memory that is used again. SendParams.Recycle means nothing.
func (a *Association) SendCopy(now time.Time, id StreamID, ppid PPID, data []byte, p SendParams) error {
	m, st, err := a.prepare(now, id, ppid, len(data), p)
	if err != nil {
		return err
	}
	m.data = append(m.own[:0], data...)
	if cap(m.data) <= maxOwn {
		m.own = m.data
	}
	a.sched.enqueue(st, m)
	return nil
}

// prepare makes all of a message of n bytes but its data.
func (a *Association) prepare(now time.Time, id StreamID, ppid PPID, n int, p SendParams) (*message, *outStream, error) {
	a.enter(now)
	switch {
	case a.ended || a.closing():
		return nil, nil, ErrClosed
	case n == 0:
		return nil, nil, ErrEmptyMessage
	case n > a.cfg.MaxSendMessageSize:
		return nil, nil, ErrMessageTooLarge
	case int(id) >= a.outStreams:
		return nil, nil, ErrStreamID
	}
	st := a.out.make(id)
	if st.reset != resetNone {
		return nil, nil, ErrStreamResetting
	}
	st.id = id
	m := a.pool.get()
	m.ppid, m.stream, m.unordered, m.maxRtx = ppid, id, p.Unordered, max(p.MaxRetransmits, -1)
	if p.Lifetime > 0 {
		m.deadline = a.now.add(p.Lifetime)
	}
	return m, st, nil
}

// BufferedAmount is how many bytes given to Send on this stream have not been sent for the first time.
func (a *Association) BufferedAmount(id StreamID) int {
	if st := a.out.get(id); st != nil {
		return st.buffered
	}
	return 0
}

// PendingMessages is how many messages given to Send on this stream are kept: the peer does not have them whole, and they were not given up.
func (a *Association) PendingMessages(id StreamID) int {
	if st := a.out.get(id); st != nil {
		return int(st.pending)
	}
	return 0
}

// SetBufferedAmountLowThreshold sets when EventBufferedAmountLow is due: when the buffered amount falls from above n to n or less.
func (a *Association) SetBufferedAmountLowThreshold(id StreamID, n int) {
	st := a.out.make(id)
	st.id, st.low = id, int32(min(max(n, 0), 1<<31-1))
}

// AppendPacket appends the next packet to dst; false: there is nothing to send now. It is called until it says false after anything else
// was called.
func (a *Association) AppendPacket(now time.Time, dst []byte) ([]byte, bool) {
	a.enter(now)
	start := len(dst)
	switch {
	case len(a.direct) > 0:
		dst = append(dst, a.direct.pop()...)
	case a.ended:
		return dst, false
	case a.sendInit:
		a.sendInit = false
		dst = a.cfg.appendInit(appendHeader(dst, a.cfg.LocalPort, a.cfg.RemotePort, 0), chunkInit, a.tag, a.recv.limit, uint16(a.cfg.MaxStreams), a.initialTSN, nil)
		seal(dst[start:])
	case a.path.due:
		dst = a.appendPathProbe(dst, start)
		if !a.zeroChecksum {
			seal(dst[start:])
		}
	default:
		data := a.mayData()
		if a.closing() {
			a.maybeFinish() // what was left may have become too old
		}
		if !data && !a.controlDue() {
			return dst, false
		}
		// COOKIE ECHO has a checksum, since its receiver keeps nothing of what was agreed (RFC 9653 section 5.2); INIT, its answer and what is said
		// outside of the association have one as well.
		checksum := !a.zeroChecksum || a.sendCookie
		dst = appendHeader(dst, a.cfg.LocalPort, a.cfg.RemotePort, a.peerTag)
		dst = a.appendControl(dst, start)
		if data {
			dst = a.appendData(dst, start)
		}
		if checksum {
			seal(dst[start:])
		}
	}
	a.stats.PacketsSent++
	a.stats.BytesSent += uint64(len(dst) - start)
	return dst, true
}

func (a *Association) controlDue() bool {
	return a.sendCookie || a.open() && (len(a.control) > 0 || a.sendCookieAck || a.sack.due || a.forwardDue() || a.reset.due() ||
		a.sendShutdown != 0)
}

func (a *Association) forwardDue() bool {
	return a.forward.due && a.sent.cum.Less(a.forward.point)
}

// appendControl appends the chunks that are not DATA.
func (a *Association) appendControl(dst []byte, start int) []byte {
	if a.sendCookie { // "it MUST be the first chunk in the packet" (section 5.1)
		a.sendCookie = false
		dst = appendTLV(dst, chunkHead(chunkCookieEcho, 0), a.cookie)
	}
	if a.sendCookieAck {
		a.sendCookieAck = false
		dst = append(dst, chunkCookieAck, 0, 0, 4)
	}
	if a.recv.due {
		a.recv.due, a.recv.taken = false, 0
		a.queueHeartbeat(a.recv.nonce)
	}
	if len(dst)-start+len(a.control) <= a.mtu {
		dst = append(dst, a.control...)
		a.control = a.control[:0]
	}
	if a.open() {
		if a.sack.due || a.sack.waiting > 0 { // it rides on whatever leaves
			dst = a.appendSack(dst, a.mtu-(len(dst)-start))
		}
		room := a.mtu - (len(dst) - start)
		if a.forwardDue() && a.forwardSize() <= room {
			a.forward.due = false
			dst = a.appendForward(dst)
			a.stats.ForwardTSNs++
		}
		dst = a.appendReset(dst, a.mtu-(len(dst)-start))
	}
	if typ := a.sendShutdown; typ != 0 && a.mtu-(len(dst)-start) >= 8 {
		a.sendShutdown = 0
		if typ == chunkShutdown {
			dst = put32(put16(put16(dst, chunkHead(typ, 0)), 8), uint32(a.received.base))
		} else {
			dst = appendTLV(dst, chunkHead(typ, 0), nil)
		}
	}
	return dst
}

// mayData says whether DATA may leave now.
func (a *Association) mayData() bool { return a.dataReady() && (a.credit > 0 || !a.paced()) }

// dataReady says whether there is DATA to send: something lost, or else something new, when congestion and the peer's window allow.
func (a *Association) dataReady() bool {
	switch a.state {
	case StateEstablished, StateShutdownPending, StateShutdownReceived:
	case StateCookieEchoed:
		// "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets to the peer" (section 5.1 C).
		if !a.sendCookie {
			return false
		}
	default:
		return false
	}
	if a.credit == 0 && a.cwnd.room(a.sent.flight) <= 0 {
		if a.sent.lost > 0 || !a.sched.empty() {
			a.cwnd.full = a.sent.packets
		}
		return false
	}
	if a.sent.lost > 0 {
		return a.mayRepeatNow(a.sent.at(a.sent.firstLost()))
	}
	m := a.nextMessage()
	return m != nil && a.windowOpen(m)
}

// mayRepeatNow says whether a lost chunk may be sent into the peer's window. It had its place there when it was first sent; only a window
// that has closed since keeps it back, except one as a probe.
func (a *Association) mayRepeatNow(c *sentChunk) bool {
	return a.sent.inFlight == 0 || a.sent.size(c) <= a.peerWindow
}

// windowOpen says whether the peer's window takes the next chunk of m. When it does not and nothing is in flight whose SACK would tell
// more, T3 runs: "The sender SHOULD send the first zero window probe after 1 RTO" (section 6.1 A).
func (a *Association) windowOpen(m *message) bool {
	q := &a.sent
	n := min(len(m.data)-int(m.sent), a.mtu-headerSize-q.header)
	switch {
	case q.len() >= maxOutstanding:
		return false
	case q.charged+n+messageOverhead <= a.peerWindow:
		return true
	case q.len() > 0:
		return false
	}
	if !a.windowProbe && a.open() && !a.timers.running(timerT3) {
		a.timers.set(timerT3, a.now.add(a.rto.current()))
	}
	return a.windowProbe
}

// maxOutstanding bounds the TSNs that are outstanding.
const maxOutstanding = 1 << 20

// appendData fills the packet that began at start with DATA: first what was lost, then what is new.
func (a *Association) appendData(dst []byte, start int) []byte {
	q := &a.sent
	before, flight, flags := q.inFlight, q.flight, -1 // where the flags of the last DATA chunk are
	limit, most := a.path.size, a.mtu-headerSize-q.header
	if a.credit > 0 || a.windowProbe || q.lost > 0 && a.path.hole.n > 0 {
		limit = a.mtu // what asks whether anything arrives must not depend on the path's width, nor what may be lost because of it
	}
	for q.lost > 0 {
		t := q.firstLost()
		c := q.at(t)
		if q.size(c) > limit-(len(dst)-start) || !a.mayRepeatNow(c) {
			break
		}
		q.change(c, t, sentInFlight)
		c.rtx += 1 - c.rtx>>15
		flags = len(dst) + 1
		dst = a.appendChunk(dst, start, t)
		a.stats.Retransmissions++
		if t == q.cum+1 {
			// "MUST restart the timer if the earliest (i.e., lowest TSN) outstanding DATA chunk […] is being retransmitted" (section 6.1).
			a.timers.set(timerT3, a.now.add(a.rto.current()))
		}
	}
	if q.lost == 0 {
		for {
			m := a.nextMessage()
			if m == nil || !a.windowOpen(m) {
				break
			}
			n, room := min(len(m.data)-int(m.sent), most), (limit-(len(dst)-start)-q.header)&^3
			if n > room {
				// A message is only split if it fits into no chunk: its loss shall not be another's.
				if room <= 0 || m.sent == 0 && len(m.data) <= most {
					break
				}
				n = room
			}
			st := a.sched.head
			if m.chunks == 0 {
				mid := &st.mids[index(m.unordered)]
				m.mid = *mid
				*mid++
				if a.interleaving && len(m.data) > most {
					m.begun = true
					a.sched.begun += len(m.data)
				}
			}
			t := q.add(m, int(m.sent), n, sentInFlight)
			flags = len(dst) + 1
			dst = a.appendChunk(dst, start, t)
			if m.allSent() {
				a.sched.pop(st)
				a.finishLarge(m)
				a.stats.MessagesSent++
			} else if a.interleaving {
				a.sched.rotate()
			}
			a.unbuffer(st, n)
		}
	}
	if flags < 0 {
		return dst
	}
	q.packets++
	a.cwnd.onSend(a.now, len(dst)-start-headerSize, flight, a.rto.current())
	a.pacing.onSend(a.now, len(dst)-start-headerSize, &a.cwnd, &a.rto)
	a.stats.DataPacketsSent++
	probe := a.credit > 0 || a.windowProbe
	a.credit, a.windowProbe = 0, false
	if !a.timers.running(timerT3) && a.state != StateCookieEchoed {
		a.timers.set(timerT3, a.now.add(a.rto.current()))
	}
	a.heard(false)
	// The I bit asks for a SACK at once (RFC 9260 section 6.2) at the end of a flight, and where the window stops us. A packet all alone does
	// without: its SACK will ride on the answer.
	a.asked = !a.dataReady() && (before > 0 || probe || q.lost > 0 || !a.sched.empty() || a.closing())
	if a.asked {
		dst[flags] |= flagI
	}
	a.armProbe()
	a.maybeProbePath()
	return dst
}

// appendChunk appends the DATA or I-DATA chunk t (section 3.3.1) to the packet that began at start, and launches it.
func (a *Association) appendChunk(dst []byte, start int, t TSN) []byte {
	q := &a.sent
	c := q.at(t)
	m := c.msg
	flags := byte(0)
	if c.off == 0 {
		flags |= flagB
	}
	if int(c.off)+int(c.n) == len(m.data) {
		flags |= flagE
	}
	if m.unordered {
		flags |= flagU
	}
	n := int(c.n)
	if a.interleaving {
		dst = appendIDataHeader(dst, flags, n, t, m, c.index)
	} else {
		ssn := m.mid
		if m.unordered {
			ssn = 0
		}
		dst = append(dst, chunkData, flags, byte((dataHeader+n)>>8), byte(dataHeader+n),
			byte(t>>24), byte(t>>16), byte(t>>8), byte(t),
			byte(m.stream>>8), byte(m.stream), byte(ssn>>8), byte(ssn),
			byte(m.ppid>>24), byte(m.ppid>>16), byte(m.ppid>>8), byte(m.ppid))
	}
	dst = append(dst, m.data[c.off:int(c.off)+n]...)
	q.launch(t, a.now, len(dst)-start > a.mtu)
	return pad(dst, n)
}
