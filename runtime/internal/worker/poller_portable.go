//go:build !linux || portable

package worker

import "time"

// poller waits for the bell and the deadline; sockets are read by goroutines.
type poller struct {
	bell     chan struct{}
	deadline time.Time // guarded by Worker.mu
}

func (p *poller) open() error {
	if p.bell == nil {
		p.bell = make(chan struct{}, 1)
	}
	p.deadline = time.Time{}
	return nil
}

func (p *poller) close() {}

func (p *poller) arm(t time.Time) {
	p.deadline = t
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

func (p *poller) wait(w *Worker, park bool) {
	if !park {
		return
	}
	for {
		w.mu.Lock()
		at := p.deadline
		w.mu.Unlock()
		if at.IsZero() {
			<-p.bell
			continue
		}
		d := time.Until(at)
		if d <= 0 {
			return
		}
		timer := time.NewTimer(d)
		select {
		case <-p.bell:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (p *poller) ready(*Worker) bool { return false }
