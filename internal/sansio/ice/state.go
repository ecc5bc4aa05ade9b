package ice

import (
	"strconv"
	"time"
)

// State is the agent's state as the W3C's RTCIceTransportState tells it.
type State uint8

// The states.
const (
	StateNew State = iota
	StateChecking
	StateConnected
	StateCompleted
	StateDisconnected
	StateFailed
	StateClosed
)

func (s State) String() string {
	switch s {
	case StateNew:
		return "new"
	case StateChecking:
		return "checking"
	case StateConnected:
		return "connected"
	case StateCompleted:
		return "completed"
	case StateDisconnected:
		return "disconnected"
	case StateFailed:
		return "failed"
	case StateClosed:
		return "closed"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// EventKind tells events apart.
type EventKind uint8

// The kinds of events.
const (
	// EventStateChange: State is the new state.
	EventStateChange EventKind = iota + 1
	// EventRouteChange: Local and Remote are where data goes from now on.
	EventRouteChange
	// EventSelectedPair: the pair of Local and Remote has been nominated and selected.
	EventSelectedPair
)

func (k EventKind) String() string {
	switch k {
	case EventStateChange:
		return "state"
	case EventRouteChange:
		return "route"
	case EventSelectedPair:
		return "selected"
	}
	return "EventKind(" + strconv.Itoa(int(k)) + ")"
}

// Event is something that the agent's owner wants to know.
type Event struct {
	Kind  EventKind
	State State
	// The pair that it is about, if it is about one: the agent's own, valid until its next call.
	Local, Remote *Candidate
}

func (a *Agent) emit(e Event) { a.events = append(a.events, e) }

func (a *Agent) setState(s State) {
	if s == a.state {
		return
	}
	if a.state == StateClosed || s == StateNew {
		panic("BUG: ice: agent goes from " + a.state.String() + " to " + s.String())
	}
	a.state = s
	a.emit(Event{Kind: EventStateChange, State: s})
}

func (a *Agent) updateState(now time.Time) { a.setState(a.wantState(now)) }

// wantState is the state that the agent's parts make.
func (a *Agent) wantState(now time.Time) State {
	g := a.cur
	if p := a.route; p != nil {
		switch {
		case !a.down(now, p, p.gen.heard):
			if p.gen == g && g.complete() {
				return StateCompleted
			}
			return StateConnected
		case p.gen != g:
			// A restart that begins disconnected leads to checking: that connectivity was lost is forgotten, says the W3C.
			return StateChecking
		}
		return StateDisconnected
	}
	switch {
	case g.failed:
		return StateFailed
	case !g.lost.IsZero():
		return StateDisconnected
	case a.state != StateNew, g.hasRemote && (len(g.pairs) > 0 || g.remoteEnded):
		return StateChecking
	}
	return StateNew
}

// complete says whether all checks are done and their result is selected. It remains so when a late candidate is tried.
func (g *generation) complete() bool {
	if g.localEnded && g.remoteEnded && g.waiting == 0 && g.inProgress == 0 && g.selected != nil {
		g.completed = true
	}
	return g.completed
}
