package rtc_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/sansrtc/rtc"
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
