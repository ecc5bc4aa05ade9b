package rtc_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// lines keeps a logger's lines.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The slog adapter keeps the level, the scope and the text of what is logged, formats by Printf's rules, and asks whether anybody listens first.
func TestSlogLoggerFactory(t *testing.T) {
	var out lines
	f := rtc.SlogLoggerFactory(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelDebug - 4,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	l := f.NewLogger("scope")
	l.Trace("100% plain")
	l.Tracef("%d", 1)
	l.Debug("debug")
	l.Debugf("%d", 2)
	l.Info("info")
	l.Infof("%d", 3)
	l.Warn("warn")
	l.Warnf("%d", 4)
	l.Error("error")
	l.Errorf("%d %s", 5, "and more")
	l.Infof("nothing to put in")
	want := `level=DEBUG-4 msg="100% plain" scope=scope
level=DEBUG-4 msg=1 scope=scope
level=DEBUG msg=debug scope=scope
level=DEBUG msg=2 scope=scope
level=INFO msg=info scope=scope
level=INFO msg=3 scope=scope
level=WARN msg=warn scope=scope
level=WARN msg=4 scope=scope
level=ERROR msg=error scope=scope
level=ERROR msg="5 and more" scope=scope
level=INFO msg="nothing to put in" scope=scope
`
	if out.String() != want {
		t.Errorf("logged\n%swant\n%s", out.String(), want)
	}
	quiet := rtc.SlogLoggerFactory(slog.New(disabled{t})).NewLogger("scope")
	quiet.Errorf("%v", unformatted{t})
}

// disabled is a handler that nobody listens to.
type disabled struct{ t *testing.T }

func (disabled) Enabled(context.Context, slog.Level) bool    { return false }
func (d disabled) Handle(context.Context, slog.Record) error { d.t.Error("handled"); return nil }
func (d disabled) WithAttrs([]slog.Attr) slog.Handler        { return d }
func (d disabled) WithGroup(string) slog.Handler             { return d }

// unformatted is a value that must not be formatted.
type unformatted struct{ t *testing.T }

func (u unformatted) String() string { u.t.Error("formatted"); return "" }

// A connection logs its states to the factory that it was built with, and warnings where something is wrong; one without a factory logs nothing.
func TestLogging(t *testing.T) {
	var out [2]lines
	p := newPair(t, sim.Config{}, func(i int, b rtc.Builder) rtc.Builder {
		level := []slog.Level{slog.LevelDebug, slog.LevelInfo}[i]
		return b.LoggerFactory(rtc.SlogLoggerFactory(slog.New(slog.NewTextHandler(&out[i], &slog.HandlerOptions{Level: level}))))
	})
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].channel(0) != nil })
	p.hosts[0].FailSockets(fmt.Errorf("the network is gone"))
	p.world.Run(time.Second)
	p.must(p.pc[0].Close())
	p.world.Run(time.Second)
	for _, want := range []string{
		"level=INFO msg=\"connection state: connecting\" scope=rtc", "level=INFO msg=\"connection state: connected\" scope=rtc",
		"level=INFO msg=\"connection state: closed\" scope=rtc", "level=DEBUG msg=\"signaling state: stable\" scope=rtc",
		"level=DEBUG msg=\"ICE connection state: checking\"", "level=WARN", "the network is gone",
	} {
		if !strings.Contains(out[0].String(), want) {
			t.Errorf("not logged: %s\n%s", want, out[0].String())
		}
	}
	if strings.Contains(out[1].String(), "DEBUG") || !strings.Contains(out[1].String(), "connection state: connected") {
		t.Errorf("at the level INFO there is\n%s", out[1].String())
	}
	secret := attribute(p.pc[0].LocalDescription(), "ice-pwd")
	if secret == "" || strings.Contains(out[0].String()+out[1].String(), secret) {
		t.Error("the log has a secret")
	}
}

// pion's own factory serves too.
func TestPionLoggerFactory(t *testing.T) {
	var out lines
	f := &logging.DefaultLoggerFactory{Writer: &out, DefaultLogLevel: logging.LogLevelWarn}
	w := sim.New(sim.Config{})
	pc := build(t, w, rtc.NewBuilder().Runtime(w.Host("a")).LoggerFactory(f).ListenAddrs("192.0.2.99:1"))
	if err := pc.SetLocalDescription(offerOf(t, pc)); err != nil {
		t.Fatal(err)
	}
	w.Run(time.Second)
	if text := out.String(); !strings.Contains(text, "rtc WARNING") || !strings.Contains(text, "192.0.2.99:1") || strings.Count(text, "\n") != 1 {
		t.Errorf("logged %q", text)
	}
}

// What the peer sends makes nobody log: a flood of datagrams is dropped and counted.
func TestDatagramsAreNotLogged(t *testing.T) {
	var out lines
	p, a, _ := connected(t, sim.Config{Link: sim.Link{Delay: time.Millisecond}}, nil, func(i int, b rtc.Builder) rtc.Builder {
		return b.LoggerFactory(rtc.SlogLoggerFactory(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))))
	})
	p.world.Run(time.Second)
	before := out.String()
	p.world.SetDefault(sim.Link{Delay: time.Millisecond, Duplicate: 1, Reorder: 0.5})
	for range 200 {
		p.must(a.Send(slices.Repeat([]byte("data"), 500)))
	}
	p.until("messages", func() bool { return p.rec[1].received() == 200 })
	if got := strings.TrimPrefix(out.String(), before); got != "" {
		t.Errorf("logged\n%s", got)
	}
}
