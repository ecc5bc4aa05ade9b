// Browser-echo serves a page that opens a WebRTC connection to this program, and sends back whatever the page sends: text, binary
// messages and whole files, whose checksums the page compares. It shows
//
//   - signalling by plain HTTP, with either side as the offerer, and ICE restarts from either side;
//   - one handler for all events of a connection, whose fields need no lock: the page shows the events in the order the handler heard
//     them, beside its own;
//   - back-pressure without code: the handler waits in SendContext, and the browser's bufferedAmount stays up meanwhile;
//   - connections that end with their page, and a program that ends with none left over.
//
// Run it and open the address it prints:
//
//	go run ./examples/browser-echo
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/sansrtc/rtc"
)

const (
	maxBody     = 64 << 10         // bytes of a request's body; a browser's description has 1 to 2 KiB
	maxSessions = 64               // connections at the same time
	maxHeard    = 256              // events kept for a page that has not opened its events channel
	setupTime   = 30 * time.Second // until a connection must have been established
)

//go:embed index.html
var page []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, os.Stdout); err != nil {
		log.Fatal("browser-echo: ", err)
	}
}

// run serves until ctx ends, then closes all connections and waits until they are gone.
func run(ctx context.Context, addr string, out io.Writer) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s := newServer(rtc.NewBuilder())
	hs := &http.Server{Handler: s, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	fmt.Fprintf(out, "browser-echo: http://%s/\n", ln.Addr())
	served := make(chan error, 1)
	go func() { served <- hs.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err = s.close(grace)
	// Browsers open HTTP connections ahead of need; those that have carried no request keep Shutdown until the deadline.
	if hs.Shutdown(grace) != nil {
		hs.Close()
	}
	return err
}

// server is the page and its signalling.
//
//	GET  /                           the page
//	POST /offer      offer           → session and answer: the browser offers
//	GET  /offer                      → session and offer: this program offers
//	POST /answer?session=   answer   the browser's answer to that
//	POST /candidate?session= cand    a candidate of the browser
//
// /offer with ?session= renegotiates a connection that exists; with GET it restarts ICE.
type server struct {
	mux  *http.ServeMux
	base rtc.Builder

	mu       sync.Mutex
	closed   bool
	sessions map[string]*session
}

func newServer(base rtc.Builder) *server {
	s := &server{mux: http.NewServeMux(), base: base, sessions: map[string]*session{}}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	s.mux.Handle("POST /offer", signalling(s.postOffer))
	s.mux.Handle("GET /offer", signalling(s.getOffer))
	s.mux.Handle("POST /answer", signalling(s.postAnswer))
	s.mux.Handle("POST /candidate", signalling(s.postCandidate))
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// close closes all connections, and waits until nothing is left of them or ctx ends.
func (s *server) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	all := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	for _, c := range all {
		c.pc.Close()
	}
	for _, c := range all {
		select {
		case <-c.pc.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// httpError is an error with the status that it becomes.
type httpError struct {
	status int
	msg    string
}

func (e *httpError) Error() string { return e.msg }

// signalMessage is the answer to a request that made a description.
type signalMessage struct {
	Session     string                  `json:"session"`
	Description *rtc.SessionDescription `json:"description"`
}

// signalling makes an HTTP handler of f: its result is the answer as JSON, its error the status.
func signalling(f func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Another site's page must not make connections through its visitor's browser.
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "same-origin", "none":
		default:
			http.Error(w, "requests from other sites are refused", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		w.Header().Set("Cache-Control", "no-store")
		res, err := f(r)
		var he *httpError
		var tooBig *http.MaxBytesError
		switch {
		case errors.As(err, &tooBig):
			http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		case errors.As(err, &he):
			http.Error(w, he.msg, he.status)
		case err != nil: // what the browser sent does not fit the connection
			http.Error(w, err.Error(), http.StatusBadRequest)
		case res == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(res)
		}
	})
}

func (s *server) postOffer(r *http.Request) (any, error) {
	var offer rtc.SessionDescription
	if err := json.NewDecoder(r.Body).Decode(&offer); err != nil {
		return nil, err
	}
	c, fresh, err := s.sessionFor(r)
	if err != nil {
		return nil, err
	}
	answer, err := c.answer(r.Context(), offer)
	if err != nil {
		if fresh {
			c.pc.Close()
		}
		return nil, err
	}
	return signalMessage{c.id, answer}, nil
}

func (s *server) getOffer(r *http.Request) (any, error) {
	c, fresh, err := s.sessionFor(r)
	if err != nil {
		return nil, err
	}
	if fresh {
		_, err = c.pc.CreateDataChannel("echo", nil)
	}
	var offer *rtc.SessionDescription
	if err == nil {
		offer, err = c.offer(r.Context(), &rtc.OfferOptions{ICERestart: !fresh})
	}
	if err != nil {
		if fresh {
			c.pc.Close()
		}
		return nil, err
	}
	return signalMessage{c.id, offer}, nil
}

func (s *server) postAnswer(r *http.Request) (any, error) {
	var answer rtc.SessionDescription
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return nil, err
	}
	c, err := s.known(r)
	if err != nil {
		return nil, err
	}
	return nil, c.pc.SetRemoteDescription(answer)
}

func (s *server) postCandidate(r *http.Request) (any, error) {
	var cand rtc.ICECandidateInit
	if err := json.NewDecoder(r.Body).Decode(&cand); err != nil {
		return nil, err
	}
	c, err := s.known(r)
	if err != nil {
		return nil, err
	}
	return nil, c.pc.AddICECandidate(cand)
}

// sessionFor is the session that r names, or a new one when it names none.
func (s *server) sessionFor(r *http.Request) (c *session, fresh bool, err error) {
	if r.URL.Query().Has("session") {
		c, err = s.known(r)
		return c, false, err
	}
	c, err = s.newSession(r.Context())
	return c, true, err
}

func (s *server) known(r *http.Request) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.sessions[r.URL.Query().Get("session")]
	if c == nil {
		return nil, &httpError{http.StatusNotFound, "no such session"}
	}
	return c, nil
}

func (s *server) newSession(ctx context.Context) (*session, error) {
	c := &session{id: rand.Text(), ended: s.remove}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.sessions) >= maxSessions {
		return nil, &httpError{http.StatusServiceUnavailable, "no room for another connection"}
	}
	var err error
	// The connection outlives the request that asks for it.
	if c.pc, err = s.base.Handler(c).Build(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	// Both sides make the events channel by themselves, with the same ID: it needs no OPEN message.
	negotiated, id := true, uint16(100)
	if _, err := c.pc.CreateDataChannel("events", &rtc.DataChannelInit{Negotiated: &negotiated, ID: &id}); err != nil {
		c.pc.Close()
		return nil, err
	}
	s.sessions[c.id] = c
	time.AfterFunc(setupTime, func() {
		switch c.pc.ConnectionState() {
		case rtc.PeerConnectionStateNew, rtc.PeerConnectionStateConnecting:
			c.pc.Close()
		}
	})
	return c, nil
}

func (s *server) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
}

// session is one page's connection, and the handler of its events.
type session struct {
	rtc.BaseHandler
	id    string
	pc    *rtc.PeerConnection
	ended func(id string)

	// Only the handler's methods use these, and they run one at a time.
	events *rtc.DataChannel // once it is open
	heard  []string         // before that
}

func (c *session) offer(ctx context.Context, o *rtc.OfferOptions) (*rtc.SessionDescription, error) {
	offer, err := c.pc.CreateOffer(o)
	if err != nil {
		return nil, err
	}
	return c.setLocal(ctx, offer)
}

func (c *session) answer(ctx context.Context, offer rtc.SessionDescription) (*rtc.SessionDescription, error) {
	if err := c.pc.SetRemoteDescription(offer); err != nil {
		return nil, err
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return nil, err
	}
	return c.setLocal(ctx, answer)
}

// setLocal gives the description back with all candidates in it: this side needs no way to tell of them later.
func (c *session) setLocal(ctx context.Context, d rtc.SessionDescription) (*rtc.SessionDescription, error) {
	if err := c.pc.SetLocalDescription(d); err != nil {
		return nil, err
	}
	select {
	case <-c.pc.GatheringComplete():
		return c.pc.LocalDescription(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hear tells the page what the handler heard.
func (c *session) hear(format string, args ...any) {
	event := fmt.Sprintf(format, args...)
	if c.events != nil {
		c.events.SendText(event)
	} else if len(c.heard) < maxHeard {
		c.heard = append(c.heard, event)
	}
}

func (c *session) OnSignalingStateChange(_ *rtc.PeerConnection, s rtc.SignalingState) {
	c.hear("signaling: %s", s)
}

func (c *session) OnICEGatheringStateChange(_ *rtc.PeerConnection, s rtc.ICEGatheringState) {
	c.hear("gathering: %s", s)
}

func (c *session) OnICECandidate(_ *rtc.PeerConnection, cand *rtc.ICECandidate) {
	if cand != nil {
		c.hear("candidate: %s %s", cand.Typ, net.JoinHostPort(cand.Address, fmt.Sprint(cand.Port)))
	}
}

func (c *session) OnICEConnectionStateChange(_ *rtc.PeerConnection, s rtc.ICEConnectionState) {
	c.hear("ICE: %s", s)
}

func (c *session) OnConnectionStateChange(pc *rtc.PeerConnection, s rtc.PeerConnectionState) {
	c.hear("connection: %s", s)
	switch s {
	case rtc.PeerConnectionStateFailed:
		pc.Close()
	case rtc.PeerConnectionStateClosed:
		c.ended(c.id)
	}
}

func (c *session) OnDataChannel(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	c.hear("channel %q: made by the browser", dc.Label())
}

func (c *session) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	c.hear("channel %q: open", dc.Label())
	if dc.Label() == "events" && dc.Negotiated() {
		c.events = dc
		for _, event := range c.heard {
			dc.SendText(event)
		}
		c.heard = nil
	}
}

func (c *session) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	var err error
	if msg.IsString {
		err = dc.SendText(string(msg.Data))
	} else {
		// While this waits for room no other event of this connection comes, and messages stay in SCTP, which slows the browser down.
		err = dc.SendContext(context.Background(), msg.Data)
	}
	if err != nil {
		c.hear("channel %q: %v", dc.Label(), err)
	}
}

func (c *session) OnDataChannelClose(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	// The page never closes this channel by itself: when it closes, the page is gone.
	if dc == c.events {
		pc.Close()
		return
	}
	c.hear("channel %q: closed", dc.Label())
}
