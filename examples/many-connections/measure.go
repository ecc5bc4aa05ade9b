package main

import (
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"time"
)

// measurement is what this process uses at a moment.
type measurement struct {
	at           time.Time
	cpu          time.Duration
	heap, stacks float64 // bytes in use, after garbage collection
	resident     float64 // bytes of physical memory, as the system sees it; 0: unknown
	files        int     // open descriptors; 0: unknown
	goroutines   int
}

func measure() measurement {
	m := measurement{at: time.Now(), cpu: processorTime(), goroutines: goruntime.NumGoroutine()}
	goruntime.GC()
	debug.FreeOSMemory() // a second collection: what was in pools is gone now; and what was free is the system's
	var s goruntime.MemStats
	goruntime.ReadMemStats(&s)
	m.heap, m.stacks = float64(s.HeapAlloc), float64(s.StackInuse)
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, pages float64
		if _, err := fmt.Sscan(string(b), &size, &pages); err == nil {
			m.resident = pages * float64(os.Getpagesize())
		}
	}
	if files, err := os.ReadDir("/dev/fd"); err == nil {
		m.files = len(files)
	}
	return m
}

// socketSize is what Linux keeps for an idle UDP socket, by the object sizes of /proc/slabinfo: udpv6_sock 1472, sock_inode_cache 832, filp 192,
// dentry 192, eventpoll_epi 128.
const socketSize = 2816

// header and row print a table: the speed of setting the last of the pairs up, and what all of them cost.
func header(out io.Writer) {
	fmt.Fprintf(out, "%8s %10s %10s %9s %9s | %8s %8s %8s %8s | %8s %10s\n",
		"pairs", "pairs/s", "CPU/pair", "median", "longest", "heap", "stacks", "sockets", "memory", "resident", "goroutines")
}

func row(out io.Writer, pairs int, made []*pair, took, cpu time.Duration, before, now measurement) {
	var times []time.Duration
	for _, p := range made {
		times = append(times, p.took)
	}
	slices.Sort(times)
	n := float64(2*pairs) * 1024
	heap, stacks, sockets := (now.heap-before.heap)/n, (now.stacks-before.stacks)/n, float64(now.files-before.files)*socketSize/n
	fmt.Fprintf(out, "%8d %10.0f %7.2f ms %6.0f ms %6.0f ms | %8.1f %8.1f %8.1f %8.1f | %8.1f %10d\n", pairs,
		float64(len(made))/took.Seconds(), ms(cpu)/float64(len(made)), ms(times[len(times)/2]), ms(times[len(times)-1]), heap, stacks, sockets, heap+stacks+sockets,
		(now.resident-before.resident)/n, now.goroutines-before.goroutines)
}

// percent is the processor time between two measurements. It contains the garbage collections of the first one.
func percent(from, to measurement) float64 {
	return 100 * (to.cpu - from.cpu).Seconds() / to.at.Sub(from.at).Seconds()
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
