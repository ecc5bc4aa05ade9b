// Package page serves the web page of an example and introduces the browser to the program: the page posts an offer, and gets the answer with
// all candidates in it.
package page

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/sansrtc/rtc"
)

const (
	maxBody  = 64 << 10 // bytes of an offer: a browser's with audio and video has about 7 KiB
	maxCalls = 64       // connections at the same time
	patience = time.Second
)

//go:embed call.js
var script []byte

// Begin makes the connection that a page's offer is for. query is that of the page's call.
type Begin func(ctx context.Context, query url.Values) (*rtc.PeerConnection, error)

// Main is an example's main function: it serves html and its calls until the program is interrupted.
func Main(name, addr string, html []byte, begin Begin) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := Serve(ctx, name, addr, html, begin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Serve prints the page's address to out and serves until ctx ends; then it closes all connections, and waits until nothing is left of them.
func Serve(ctx context.Context, name, addr string, html []byte, begin Begin, out io.Writer) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s := &server{begin: begin, calls: map[*rtc.PeerConnection]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", content("text/html; charset=utf-8", html))
	mux.HandleFunc("GET /call.js", content("text/javascript; charset=utf-8", script))
	mux.HandleFunc("POST /offer", s.offer)
	hs := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	fmt.Fprintf(out, "%s: http://%s/\n", name, ln.Addr())
	served := make(chan error, 1)
	go func() { served <- hs.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.close()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	// Browsers open HTTP connections ahead of need; those that have carried no request keep Shutdown until the deadline.
	if hs.Shutdown(grace) != nil {
		hs.Close()
	}
	return nil
}

func content(kind string, b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-store")
		w.Write(b)
	}
}

type server struct {
	begin Begin

	mu     sync.Mutex
	closed bool
	calls  map[*rtc.PeerConnection]bool
}

var errBusy = errors.New("no room for another connection")

func (s *server) offer(w http.ResponseWriter, r *http.Request) {
	// Another site's page must not make connections through its visitor's browser.
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		http.Error(w, "requests from other sites are refused", http.StatusForbidden)
		return
	}
	var offer rtc.SessionDescription
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&offer); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := s.answer(r, offer)
	switch {
	case errors.Is(err, errBusy):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(answer)
	}
}

func (s *server) answer(r *http.Request, offer rtc.SessionDescription) (*rtc.SessionDescription, error) {
	// The connection outlives the request that asks for it.
	pc, err := s.begin(context.WithoutCancel(r.Context()), r.URL.Query())
	if err != nil {
		return nil, err
	}
	if !s.add(pc) {
		pc.Close()
		return nil, errBusy
	}
	err = s.keepAlive(pc)
	var answer *rtc.SessionDescription
	if err == nil {
		answer, err = Answer(r.Context(), pc, offer)
	}
	if err != nil {
		pc.Close()
	}
	return answer, err
}

// Answer answers an offer with a description that has all candidates in it.
func Answer(ctx context.Context, pc *rtc.PeerConnection, offer rtc.SessionDescription) (*rtc.SessionDescription, error) {
	if err := pc.SetRemoteDescription(offer); err != nil {
		return nil, err
	}
	if err := pc.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		return nil, err
	}
	select {
	case <-pc.GatheringComplete():
		return pc.LocalDescription(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *server) add(pc *rtc.PeerConnection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.calls) >= maxCalls {
		return false
	}
	s.calls[pc] = true
	go s.watch(pc)
	return true
}

// watch closes the connection when it has failed, and forgets it when it is closed.
func (s *server) watch(pc *rtc.PeerConnection) {
	for state := range pc.ConnectionStates(context.Background()) {
		if state == rtc.PeerConnectionStateFailed {
			pc.Close()
		}
	}
	<-pc.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, pc)
}

// alive has the ID of a channel that both sides make by themselves and never close: its end tells that the page has gone, long before the
// connection fails.
const alive = 1000

func (s *server) keepAlive(pc *rtc.PeerConnection) error {
	negotiated, id := true, uint16(alive)
	dc, err := pc.CreateDataChannel("alive", &rtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
	if err != nil {
		return err
	}
	go func() {
		for range dc.Messages(context.Background()) {
		}
		pc.Close()
	}()
	return nil
}

func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	var all []*rtc.PeerConnection
	for pc := range s.calls {
		all = append(all, pc)
	}
	s.mu.Unlock()
	for _, pc := range all {
		pc.Close()
	}
	for _, pc := range all {
		<-pc.Done()
	}
}
