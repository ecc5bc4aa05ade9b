package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
)

// task is what the answerer does with messages.
type task string

const (
	counts task = "count"
	echoes task = "echo"
	rests  task = "rest" // and has nothing that would receive any

	watches task = "watch" // media: it is an audience
)

// counter counts what has arrived.
type counter struct{ messages, bytes atomic.Uint64 }

// work lets c do its task from now on.
func (n *counter) work(t task, c channel) {
	if t == rests {
		return
	}
	c.onMessage(func(m []byte) {
		n.bytes.Add(uint64(len(m)))
		n.messages.Add(1)
		if t == echoes {
			if err := c.send(m); err != nil {
				panic(err)
			}
		}
	})
}

func (n *counter) add(u usage) usage {
	return u.add(usage{Messages: n.messages.Load(), Bytes: n.bytes.Load()})
}

// pair is a connection with one channel that a measurement sends on, and an answerer that has its task: in this process, or in another one.
type pair struct {
	channel
	near   end
	far    end
	remote *remote
}

// connect makes a pair and waits until its channel is open at both ends. An answerer in this process counts in n.
func connect(s stack, t task, n *counter) (*pair, error) {
	a, b, err := join(s, "bench")
	if err != nil {
		return nil, err
	}
	p := &pair{near: a, far: b}
	if p.channel, err = a.channel(); err != nil {
		return nil, err
	}
	c, err := b.channel()
	if err != nil {
		return nil, err
	}
	n.work(t, c)
	return p, nil
}

// connectApart is connect with the answerer in a process of its own.
func connectApart(name string, t task) (p *pair, err error) {
	s, err := newStack(name, settings{})
	if err != nil {
		return nil, err
	}
	p = new(pair)
	if p.near, err = newEnd(s, offerer); err != nil {
		return nil, err
	}
	if p.remote, err = startRemote(t, name); err != nil {
		return nil, err
	}
	answer := func(offer string) (string, error) {
		r, err := ask[response](p.remote, request{Offer: offer})
		return r.Answer, err
	}
	if err := introduce(p.near, answer, "bench"); err != nil {
		return nil, err
	}
	if p.channel, err = p.near.channel(); err != nil {
		return nil, err
	}
	_, err = ask[response](p.remote, request{Open: true})
	return p, err
}

// used is what the other process has used.
func (p *pair) used() (usage, error) {
	if p.remote == nil {
		return usage{}, nil
	}
	r, err := ask[response](p.remote, request{})
	return r.Usage, err
}

func (p *pair) close() {
	p.near.close()
	if p.remote != nil {
		p.remote.end()
		return
	}
	p.far.close()
}

// remote is another process of a measurement. It is asked over its standard input and answers on its standard output.
type remote struct {
	cmd *exec.Cmd
	in  io.Closer
	to  *json.Encoder
	by  *json.Decoder
}

// request asks for an answer to an offer; to wait until the channel is open; or for what was used.
type request struct {
	Offer string `json:",omitempty"`
	Open  bool   `json:",omitempty"`
}

type response struct {
	Answer string `json:",omitempty"`
	Usage  usage
}

func startRemote(t task, stack string) (*remote, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-answer", string(t)+"@"+stack)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &remote{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}, cmd.Start()
}

func ask[A, Q any](r *remote, q Q) (a A, err error) {
	if err := r.to.Encode(q); err != nil {
		return a, err
	}
	if err := r.by.Decode(&a); err != nil {
		return a, fmt.Errorf("the other process: %w", err)
	}
	return a, nil
}

// serve answers what ask asks, until in ends.
func serve[A, Q any](in io.Reader, out io.Writer, answer func(Q) (A, error)) error {
	from, to := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q Q
		if err := from.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := answer(q)
		if err != nil {
			return err
		}
		if err := to.Encode(a); err != nil {
			return err
		}
	}
}

// end lets the process close its connections and exit.
func (r *remote) end() {
	r.in.Close()
	r.cmd.Wait()
}

// answerRemotely is another process, until in ends. what is task@stack.
func answerRemotely(what string, in io.Reader, out io.Writer) error {
	t, name, _ := strings.Cut(what, "@")
	if task(t) == watches {
		return attend(name, in, out)
	}
	s, err := newStack(name, settings{})
	if err != nil {
		return err
	}
	b, err := newEnd(s, answerer)
	if err != nil {
		return err
	}
	defer b.close()
	var n counter
	return serve(in, out, func(q request) (r response, err error) {
		switch {
		case q.Offer != "":
			r.Answer, err = b.answer(q.Offer)
		case q.Open:
			var c channel
			if c, err = b.channel(); err == nil {
				n.work(task(t), c)
			}
		default:
			r.Usage = n.add(used())
		}
		return r, err
	})
}
