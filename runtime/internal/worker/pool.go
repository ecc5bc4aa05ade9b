package worker

import (
	goruntime "runtime"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// Config tunes a Pool. The zero value is the default.
type Config struct {
	Workers      int           // 0: GOMAXPROCS
	HandoffAfter time.Duration // how long a Dispatch may keep its worker; 0: 5 ms
}

const defaultHandoff = 5 * time.Millisecond

// Pool is a set of workers.
type Pool struct {
	after   time.Duration
	epoch   time.Time
	workers []*Worker

	hosts    atomic.Int64
	handoffs atomic.Uint64
}

// New makes a Pool. It holds nothing before the first Spawn or Watch.
func New(cfg Config) *Pool {
	if cfg.Workers <= 0 {
		cfg.Workers = goruntime.GOMAXPROCS(0)
	}
	if cfg.HandoffAfter <= 0 {
		cfg.HandoffAfter = defaultHandoff
	}
	p := &Pool{after: cfg.HandoffAfter, epoch: time.Now()}
	for i := range cfg.Workers {
		w := &Worker{pool: p, index: i}
		w.handoff = time.AfterFunc(time.Hour, w.takeOver)
		w.handoff.Stop()
		p.workers = append(p.workers, w)
	}
	return p
}

// Workers lists the workers.
func (p *Pool) Workers() []*Worker { return p.workers }

// Hosts is the number of loops spawned and not yet released, Handoffs how many dispatches overstayed.
func (p *Pool) Hosts() int64     { return p.hosts.Load() }
func (p *Pool) Handoffs() uint64 { return p.handoffs.Load() }

// Spawn hosts loop on the worker that has the fewest hosts.
func (p *Pool) Spawn(loop runtime.Loop, listen Listen) (*Host, error) {
	w := p.workers[0]
	for _, o := range p.workers[1:] {
		if o.load.Load() < w.load.Load() {
			w = o
		}
	}
	h := &Host{pool: p, loop: loop, listen: listen}
	h.refs.Store(1)
	h.home.Store(w)
	if err := w.join(); err != nil {
		return nil, err
	}
	w.load.Add(1)
	p.hosts.Add(1)
	return h, nil
}

// stamp is t as the heap of deadlines compares it.
func (p *Pool) stamp(t time.Time) int64 { return int64(t.Sub(p.epoch)) }
