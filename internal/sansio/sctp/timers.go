package sctp

import "time"

// instant is a time inside the machine: nanoseconds since its first call, counted from 1. Zero is never.
type instant int64

func (t instant) add(d time.Duration) instant   { return t + instant(d) }
func (t instant) since(u instant) time.Duration { return time.Duration(t - u) }

// timer names a deadline.
type timer uint8

const (
	timerHandshake timer = iota // T1-init and T1-cookie
	timerShutdown               // T2-shutdown
	timerT3                     // T3-rtx
	timerLoss                   // a chunk that was overtaken becomes lost
	timerProbe                  // the tail of a flight was not answered
	timerSack                   // the delayed SACK
	timerReconfig               // RE-CONFIG was not answered
	timerHeartbeat              // nothing was heard for long
	timerPacing                 // what was sent has left, and more may follow
	timerPathMTU                // a probe of the path was not answered, or it is time for the next
	numTimers
)

type timers [numTimers]instant

func (t *timers) set(name timer, at instant) { t[name] = at }
func (t *timers) stop(name timer)            { t[name] = 0 }
func (t *timers) running(name timer) bool    { return t[name] != 0 }

// due stops the timer if its time has come, and says so.
func (t *timers) due(name timer, now instant) bool {
	if t[name] == 0 || t[name] > now {
		return false
	}
	t[name] = 0
	return true
}

func (t *timers) earliest() (at instant) {
	for _, u := range t {
		if u != 0 && (at == 0 || u < at) {
			at = u
		}
	}
	return at
}

// enter begins each call: it takes the caller's time as the machine's own. Time never goes back.
func (a *Association) enter(now time.Time) {
	if a.epoch.IsZero() {
		a.epoch = now
	}
	a.now = max(a.now, instant(now.Sub(a.epoch))+1)
}

// PollTimeout is when HandleTimeout is due; zero: not before something else happens.
func (a *Association) PollTimeout() time.Time {
	at := a.timers.earliest()
	if at == 0 {
		return time.Time{}
	}
	return a.epoch.Add(time.Duration(at - 1))
}

// HandleTimeout does what is due by now.
func (a *Association) HandleTimeout(now time.Time) {
	a.enter(now)
	if a.timers.due(timerHandshake, a.now) {
		a.handshakeTimeout()
	}
	if a.timers.due(timerShutdown, a.now) {
		a.shutdownTimeout()
	}
	if a.timers.due(timerSack, a.now) {
		a.sack.due = true
	}
	a.timers.due(timerPacing, a.now) // AppendPacket goes on by itself
	if a.timers.due(timerLoss, a.now) {
		a.detectLosses()
		a.settle()
	}
	if a.timers.due(timerProbe, a.now) {
		a.probeTimeout()
	}
	if a.timers.due(timerT3, a.now) {
		a.t3Timeout()
	}
	if a.timers.due(timerReconfig, a.now) {
		a.resetTimeout()
	}
	if a.timers.due(timerHeartbeat, a.now) {
		a.heartbeatTimeout()
	}
	if a.timers.due(timerPathMTU, a.now) {
		a.pathTimeout()
	}
}
