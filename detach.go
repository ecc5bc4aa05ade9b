package rtc

import (
	"context"
	"io"
)

// Detach gives the channel as a stream of bytes, and stops telling its messages to the handler; call it where Messages would be called. Read gives
// the bytes of at most one message and keeps what did not fit for the next Read; io.EOF comes when the channel has closed. Write sends p as
// binary messages of at most the peer's max-message-size and waits for room. Close closes the channel and ends waiting Reads and Writes
// when it has closed.
func (dc *DataChannel) Detach() io.ReadWriteCloser {
	dc.pull()
	return &stream{dc: dc}
}

// stream is a detached channel. One goroutine may read while another writes.
type stream struct {
	dc   *DataChannel
	rest []byte // of the message that was read last
}

func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(s.rest) == 0 { // an empty message has nothing to read
		msg, err := s.dc.receive(context.Background())
		if err != nil {
			return 0, err
		}
		s.rest = msg.Data
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *stream) Write(p []byte) (n int, err error) {
	limit := s.dc.loop.maxMessageSize()
	for first := true; first || n < len(p); first = false {
		b := p[n:min(len(p), n+limit)]
		if err := s.dc.SendContext(context.Background(), b); err != nil {
			return n, err
		}
		n += len(b)
	}
	return n, nil
}

func (s *stream) Close() error { return s.dc.Close() }
