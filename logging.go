package rtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// SlogLoggerFactory gives a LoggerFactory for the Builder that logs to l. Each record has the attribute "scope"; Trace is logged four
// below slog.LevelDebug.
func SlogLoggerFactory(l *slog.Logger) logging.LoggerFactory { return slogFactory{l} }

type slogFactory struct{ l *slog.Logger }

func (f slogFactory) NewLogger(scope string) logging.LeveledLogger {
	return slogLogger{f.l.With("scope", scope)}
}

const levelTrace = slog.LevelDebug - 4

// silent is what a connection without a LoggerFactory logs to.
var silent logging.LeveledLogger = slogLogger{slog.New(slog.DiscardHandler)}

// logs tells whether somebody reads the log: what is logged often is not made for nobody.
func (pc *PeerConnection) logs() bool { return pc.builder.logger != nil }

type slogLogger struct{ l *slog.Logger }

func (s slogLogger) log(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if !s.l.Enabled(ctx, level) {
		return
	}
	if args != nil {
		format = fmt.Sprintf(format, args...)
	}
	s.l.Log(ctx, level, format)
}

func (s slogLogger) Trace(msg string)             { s.log(levelTrace, msg, nil) }
func (s slogLogger) Tracef(f string, args ...any) { s.log(levelTrace, f, args) }
func (s slogLogger) Debug(msg string)             { s.log(slog.LevelDebug, msg, nil) }
func (s slogLogger) Debugf(f string, args ...any) { s.log(slog.LevelDebug, f, args) }
func (s slogLogger) Info(msg string)              { s.log(slog.LevelInfo, msg, nil) }
func (s slogLogger) Infof(f string, args ...any)  { s.log(slog.LevelInfo, f, args) }
func (s slogLogger) Warn(msg string)              { s.log(slog.LevelWarn, msg, nil) }
func (s slogLogger) Warnf(f string, args ...any)  { s.log(slog.LevelWarn, f, args) }
func (s slogLogger) Error(msg string)             { s.log(slog.LevelError, msg, nil) }
func (s slogLogger) Errorf(f string, args ...any) { s.log(slog.LevelError, f, args) }
