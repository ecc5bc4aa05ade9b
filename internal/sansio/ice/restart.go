package ice

import "time"

// Restart begins a new generation with other local credentials. Local candidates are to be added again, remote credentials and
// candidates come from the peer. Until a pair of the new generation is valid the old one carries the data, answers checks and keeps
// consent; and Rollback returns to it.
func (a *Agent) Restart(now time.Time, local Credentials) {
	if a.state == StateClosed {
		return
	}
	if a.old == nil || !a.oldUntil.IsZero() {
		a.old, a.oldUntil = a.cur, time.Time{}
	} // else cur has come to nothing yet, and what works is still old
	a.cur = newGeneration(local)
	a.advance(now)
}

// Rollback forgets a Restart whose generation has no valid pair yet.
func (a *Agent) Rollback(now time.Time) {
	if a.old == nil || !a.oldUntil.IsZero() || a.state == StateClosed {
		return
	}
	a.cur, a.old = a.old, nil
	a.advance(now)
}
