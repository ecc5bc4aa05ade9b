package main

import (
	"runtime"
	"time"
)

// usage is what a measurement has spent and brought about so far, in all its processes.
type usage struct {
	At       time.Duration // since the process began to measure
	CPU      time.Duration
	Mallocs  uint64
	Messages uint64 // that arrived at the answerer
	Bytes    uint64
}

var began = time.Now()

// used is the usage of this process.
func used() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{At: time.Since(began), CPU: processCPU(), Mallocs: m.Mallocs}
}

func (u usage) add(v usage) usage {
	u.CPU += v.CPU
	u.Mallocs += v.Mallocs
	u.Messages += v.Messages
	u.Bytes += v.Bytes
	return u
}

func (u usage) since(from usage) usage {
	return usage{u.At - from.At, u.CPU - from.CPU, u.Mallocs - from.Mallocs, u.Messages - from.Messages, u.Bytes - from.Bytes}
}
