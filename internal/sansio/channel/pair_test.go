package channel

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// storm is an application on both ends of a line that does anything at any
// time, and remembers what it may expect.
type storm struct {
	*line
	seed   uint64
	sent   map[string][]string
	got    map[string][]string
	mixed  bool            // negotiated ids may be those of channels made in-band
	closed map[string]bool // channels whose receiver closed, by sending channel
	names  [2]map[Handle]string
	made   int
}

// TestStorm: whatever two applications do and in whatever order SCTP delivers,
// each message of a reliable channel arrives once, in its channel, in order;
// each channel ends with one close; no stream, channel or byte of window is lost.
func TestStorm(t *testing.T) {
	seeds := 1500
	if testing.Short() {
		seeds = 300
	}
	for seed := range uint64(seeds) {
		runStorm(t, seed, rand.New(rand.NewPCG(seed, 1)).IntN)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func runStorm(t testing.TB, seed uint64, choose func(int) int) {
	var cfg Config
	tight := choose(3) == 0
	if tight {
		cfg = Config{MaxChannels: 5, MaxHeldMessages: 2, MaxHeldBytes: 40, MaxNameBytes: 30, SendBuffer: 100, MaxSendMessageSize: 50}
	}
	s := &storm{
		line:   newLine(t, seed, cfg, cfg),
		seed:   seed,
		sent:   map[string][]string{},
		got:    map[string][]string{},
		closed: map[string]bool{},
		names:  [2]map[Handle]string{{}, {}},
	}
	s.lossy, s.mixed = choose(2) == 0, choose(2) == 0
	streams := []int{65535, 65535, 12}[choose(3)]
	for i, e := range s.ends {
		e.onEvent = func(ev Event) { s.heard(i, ev) }
	}
	steps := 20 + choose(200)
	role, up := choose(10), 10+choose(10)
	for step := range steps {
		if step == role {
			s.ends[0].m.SetRole(true)
			s.ends[1].m.SetRole(false)
		}
		if step == up {
			s.connect(streams)
		}
		for range choose(3) {
			if step > up {
				s.step()
			}
		}
		s.act(choose)
	}
	s.connect(streams)
	s.settle()
	for i, e := range s.ends {
		for _, h := range e.m.Handles() {
			s.endChannel(i, h)
		}
	}
	s.settle()
	for i, e := range s.ends {
		for h, name := range s.names[i] {
			if e.order[h] != EventClosed {
				t.Errorf("seed %d: %s never heard of the close of %s (%d)", seed, e.name, name, h)
			}
		}
		for _, h := range e.m.Handles() {
			e.m.Forget(h)
		}
		if n := len(e.m.Handles()); n != 0 {
			t.Errorf("seed %d: %s keeps %d channels", seed, e.name, n)
		}
		for id, st := range e.m.streams {
			if st.state != streamIdle { // what is left may only be user data nobody made a channel for
				t.Errorf("seed %d: %s keeps stream %d in state %d", seed, e.name, id, st.state)
			}
		}
		if e.window != e.m.held.bytes {
			t.Errorf("seed %d: %s owes SCTP %d bytes", seed, e.name, e.window-e.m.held.bytes)
		}
	}
	for name, sent := range s.sent {
		s.compare(name, sent, s.got[name])
	}
	for name := range s.got {
		if s.sent[name] == nil {
			t.Errorf("seed %d: messages from %s, which sent none", seed, name)
		}
	}
}

// act does one thing that an application may do.
func (s *storm) act(choose func(int) int) {
	i := choose(2)
	e := s.ends[i]
	switch choose(12) {
	case 0, 1:
		s.made++
		p := reliable("")
		p.Ordered = choose(2) == 0
		switch choose(4) {
		case 0:
			p.MaxRetransmits = int32(choose(3))
		case 1:
			p.MaxLifetime = time.Duration(choose(3)) * time.Millisecond
		}
		if choose(3) == 0 {
			p.Negotiated, p.HasID, p.ID = true, true, uint16(choose(14))
			if !s.mixed {
				p.ID += 1000
			}
		}
		kind := map[bool]string{true: "n", false: "d"}[p.Negotiated]
		kind += map[bool]string{true: "o", false: "u"}[p.Ordered]
		kind += map[bool]string{true: "r", false: "p"}[p.MaxRetransmits < 0 && p.MaxLifetime < 0]
		p.Label = fmt.Sprintf("%s-%s-%d", e.name, kind, s.made)
		h, err := e.m.Open(epoch, p)
		if err == nil {
			s.names[i][h] = p.Label
		}
	case 2:
		if h, ok := s.pick(i, choose); ok && choose(3) == 0 {
			s.endChannel(i, h)
		}
	case 3, 4, 5, 6:
		if h, ok := s.pick(i, choose); ok {
			// A channel made in-band has two senders, one at each end.
			key := e.name + "/" + s.label(i, h)
			text := fmt.Sprintf("%s/%d", key, len(s.sent[key]))
			if s.sendData(e, h, []byte(text), choose(2) == 0) == nil {
				s.sent[key] = append(s.sent[key], text)
			}
		}
	case 7, 8, 9:
		s.take(e)
	case 10:
		if h, ok := s.pick(i, choose); ok {
			if e.order[h] == EventClosed {
				e.m.Forget(h)
			}
			if id, ok := e.m.Info(h); ok && id.HasID {
				e.m.HandleBufferedAmountLow(epoch, id.ID)
			}
		}
	case 11:
		return // SCTP is served late
	}
	s.pump(e)
}

func (s *storm) endChannel(i int, h Handle) {
	e := s.ends[i]
	if e.m.State(h) < Closing {
		s.closed[s.ends[1-i].name+"/"+s.label(i, h)] = true
	}
	s.line.close(e, h)
}

func (s *storm) pick(i int, choose func(int) int) (Handle, bool) {
	hs := s.ends[i].m.Handles()
	if len(hs) == 0 {
		return 0, false
	}
	return hs[choose(len(hs))], true
}

func (s *storm) label(i int, h Handle) string {
	info, _ := s.ends[i].m.Info(h)
	return info.Label
}

func (s *storm) heard(i int, ev Event) {
	switch ev.Kind {
	case EventIncoming:
		s.names[i][ev.Channel] = ev.Params.Label
	case EventMessage:
		text := string(ev.Data)
		key := text[:strings.LastIndexByte(text, '/')]
		s.got[key] = append(s.got[key], text)
		// A negotiated channel may meet another one of its id; the others may not.
		if own := s.label(i, ev.Channel); own[2] == 'd' && key[4] == 'd' && !strings.HasSuffix(key, "/"+own) {
			s.t.Errorf("seed %d: channel %s got %q", s.seed, own, text)
		}
	case EventError:
		if ev.Err != ErrNoID && ev.Err != ErrRefused {
			if _, ok := ev.Err.(*ProtocolError); !ok {
				s.t.Errorf("seed %d: error %v", s.seed, ev.Err)
			}
		}
		if name := s.names[i][ev.Channel]; name != "" {
			s.closed["A/"+name], s.closed["B/"+name] = true, true
		}
	}
}

// compare holds what arrived against what was sent.
func (s *storm) compare(key string, sent, got []string) {
	kind := strings.Split(key, "-")[1]
	last := -1
	seen := map[string]bool{}
	for _, text := range got {
		n, _ := strconv.Atoi(text[strings.LastIndexByte(text, '/')+1:])
		if seen[text] {
			s.t.Errorf("seed %d: %s came twice", s.seed, text)
		}
		if kind[1] == 'o' && n < last {
			s.t.Errorf("seed %d: %s came after %d", s.seed, text, last)
		}
		seen[text], last = true, n
	}
	lost := s.lossy && kind[2] == 'p'
	// A receiver that refuses a channel drops all of it, and a sender that has closed the channel by then hears no reason.
	to := map[bool]*end{true: s.ends[1], false: s.ends[0]}[strings.HasPrefix(key, "A/")]
	refused := len(got) == 0 && to.m.Stats().Refused > 0
	if kind[0] == 'd' && !lost && !refused && !s.mixed && !s.closed[key] && len(got) != len(sent) {
		s.t.Errorf("seed %d: %d of %d messages of %s came", s.seed, len(got), len(sent), key)
	}
}
