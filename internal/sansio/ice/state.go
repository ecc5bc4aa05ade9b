package ice

import "strconv"

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
	Kind          EventKind
	State         State
	Local, Remote Candidate
}
