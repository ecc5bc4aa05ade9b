package main

import (
	"log"
	"os"
	"testing"
	"time"
)

// TestMain lets the test program be the other process of a measurement, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-answer" {
		if err := answerRemotely(os.Args[2], os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// Promise: what another process receives and spends is told here, by each stack.
func TestTwoProcesses(t *testing.T) {
	for _, stack := range []string{"sansrtc", "pion", "pion-tuned"} {
		t.Run(stack, func(t *testing.T) {
			p, err := connectApart(stack, echoes)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			back := make(chan int, 10)
			p.onMessage(func(b []byte) { back <- len(b) })
			for n := range 10 {
				if err := p.send(make([]byte, 1+n)); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 10 {
				select {
				case got := <-back:
					if got != 1+n {
						t.Errorf("message %d comes back with %d bytes", n, got)
					}
				case <-time.After(patience):
					t.Fatal("no message comes back")
				}
			}
			u, err := p.used()
			if err != nil {
				t.Fatal(err)
			}
			if u.Messages != 10 || u.Bytes != 55 || u.CPU <= 0 || u.Mallocs == 0 {
				t.Errorf("the other process tells %+v", u)
			}
		})
	}
}

// Promise: a process whose other end has gone ends with an error, and does not wait for ever.
func TestAnswererDies(t *testing.T) {
	r, err := startRemote(counts, "no such stack")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask[response](r, request{}); err == nil {
		t.Error("an answerer that does not exist answers")
	}
	r.end()
}
