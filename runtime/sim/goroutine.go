package sim

import (
	"bytes"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
)

// goroutine is the calling goroutine's number, from the first line of its stack trace: "goroutine 7 [running]:".
func goroutine() uint64 {
	var buf [64]byte
	id, _, _ := header(buf[:runtime.Stack(buf[:], false)])
	return id
}

// computing tells whether any of the workers' goroutines is running or about to, rather than waiting for something.
func computing(workers []*worker) bool {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	for trace := range bytes.SplitSeq(buf[:n], []byte("\n\n")) {
		id, state, ok := header(trace)
		if !ok || !slices.ContainsFunc(workers, func(k *worker) bool { return k.id == id }) {
			continue
		}
		for _, s := range []string{"running", "runnable", "preempted", "copystack", "GC "} {
			if bytes.HasPrefix(state, []byte(s)) {
				return true
			}
		}
	}
	return false
}

// header parses the first line of a goroutine's stack trace.
func header(trace []byte) (id uint64, state []byte, ok bool) {
	rest, ok := bytes.CutPrefix(trace, []byte("goroutine "))
	number, rest, ok2 := bytes.Cut(rest, []byte(" ["))
	if !ok || !ok2 {
		return 0, nil, false
	}
	// With GODEBUG=tracebacklabels the header has more before the bracket; the number ends at the first space in any case.
	number, _, _ = bytes.Cut(number, []byte(" "))
	id, err := strconv.ParseUint(string(number), 10, 64)
	return id, rest, err == nil
}

// quiet tells cheaply whether no goroutine of the process but the calling one is running or about to. False says nothing: other tests
// may be running.
func quiet() bool {
	samples := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}, {Name: "/sched/goroutines/running:goroutines"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return false
		}
	}
	return samples[0].Value.Uint64() == 0 && samples[1].Value.Uint64() <= 1
}
