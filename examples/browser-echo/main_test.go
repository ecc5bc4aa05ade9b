package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
)

const patience = 20 * time.Second

// echo is a server and its address.
type echo struct {
	t   *testing.T
	s   *server
	url string
}

func serve(t *testing.T) *echo {
	t.Helper()
	s := newServer(rtc.NewBuilder())
	hs := httptest.NewServer(s)
	t.Cleanup(func() {
		hs.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.close(ctx); err != nil {
			t.Errorf("connections are left: %v", err)
		}
	})
	return &echo{t, s, hs.URL}
}

// ask sends a request and gives its status, and its answer as out if there is any.
func (e *echo) ask(method, path, body string, out any) int {
	e.t.Helper()
	req, err := http.NewRequest(method, e.url+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	if out != nil && res.StatusCode == http.StatusOK {
		if err := json.NewDecoder(res.Body).Decode(out); err != nil {
			e.t.Fatal(err)
		}
	}
	return res.StatusCode
}

// settles waits for the end of all connections, and wants their sessions to be gone then.
func (e *echo) settles(why string) {
	e.t.Helper()
	e.s.mu.Lock()
	all := slices.Collect(maps.Values(e.s.sessions))
	e.s.mu.Unlock()
	for _, c := range all {
		get(e.t, c.pc.Done(), "the end of the program's connection")
	}
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	if len(e.s.sessions) > 0 {
		e.t.Errorf("%d sessions are left after %s", len(e.s.sessions), why)
	}
}

// visitor is what a browser is to the program.
type visitor struct {
	rtc.BaseHandler
	open, closed chan string
	messages     chan rtc.DataChannelMessage
}

func (v *visitor) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) { v.open <- dc.Label() }

func (v *visitor) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	if dc.Label() == "echo" {
		v.messages <- msg
	}
}

func (v *visitor) OnDataChannelClose(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	v.closed <- dc.Label()
}

// visit opens a connection to the program, by an offer to it.
func visit(t *testing.T, e *echo) (*visitor, *rtc.PeerConnection, *rtc.DataChannel) {
	t.Helper()
	v := &visitor{open: make(chan string, 8), closed: make(chan string, 8), messages: make(chan rtc.DataChannelMessage, 8)}
	pc, err := rtc.NewBuilder().Handler(v).Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close(); <-pc.Done() })
	negotiated, id := true, uint16(100)
	if _, err := pc.CreateDataChannel("events", &rtc.DataChannelInit{Negotiated: &negotiated, ID: &id}); err != nil {
		t.Fatal(err)
	}
	dc, err := pc.CreateDataChannel("echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err == nil {
		err = pc.SetLocalDescription(offer)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-pc.GatheringComplete()
	body, err := json.Marshal(pc.LocalDescription())
	if err != nil {
		t.Fatal(err)
	}
	var res signalMessage
	if status := e.ask("POST", "/offer", string(body), &res); status != http.StatusOK {
		t.Fatalf("POST /offer: %d", status)
	}
	if err := pc.SetRemoteDescription(*res.Description); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		get(t, v.open, "a channel's open")
	}
	return v, pc, dc
}

func get[T any](t *testing.T, c <-chan T, what string) (x T) {
	t.Helper()
	select {
	case x = <-c:
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
	}
	return x
}

func TestEcho(t *testing.T) {
	e := serve(t)
	v, pc, dc := visit(t, e)
	if err := dc.SendText("hello"); err != nil {
		t.Fatal(err)
	}
	if m := get(t, v.messages, "the text"); !m.IsString || string(m.Data) != "hello" {
		t.Errorf("the program sent back %q", m.Data)
	}
	if err := dc.Send(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if m := get(t, v.messages, "the bytes"); m.IsString || len(m.Data) != 100_000 {
		t.Errorf("the program sent back %d bytes", len(m.Data))
	}

	// A session ends with its connection.
	pc.Close()
	e.settles("the visitor's Close")
}

// close ends the connections that are open, so that both sides know.
func TestShutdown(t *testing.T) {
	e := serve(t)
	v, _, _ := visit(t, e)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := e.s.close(ctx); err != nil {
		t.Fatal(err)
	}
	get(t, v.closed, "a channel's close")
	if status := e.ask("GET", "/offer", "", nil); status != http.StatusServiceUnavailable {
		t.Errorf("a server that is closing answered a new visitor with %d", status)
	}
}

func TestRefusals(t *testing.T) {
	e := serve(t)
	big := `{"type":"offer","sdp":"` + strings.Repeat("x", maxBody) + `"}`
	for _, tc := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/", "", http.StatusOK},
		{"GET", "/nothing", "", http.StatusNotFound},
		{"DELETE", "/offer", "", http.StatusMethodNotAllowed},
		{"POST", "/offer", "", http.StatusBadRequest},
		{"POST", "/offer", "{}", http.StatusBadRequest},
		{"POST", "/offer", `{"type":"offer","sdp":"nonsense"}`, http.StatusBadRequest},
		{"POST", "/offer", big, http.StatusRequestEntityTooLarge},
		{"POST", "/answer", big, http.StatusRequestEntityTooLarge},
		{"POST", "/candidate", big, http.StatusRequestEntityTooLarge},
		{"POST", "/answer?session=x", `{"type":"answer","sdp":""}`, http.StatusNotFound},
		{"POST", "/candidate?session=x", `{"candidate":""}`, http.StatusNotFound},
		{"GET", "/offer?session=x", "", http.StatusNotFound},
	} {
		if got := e.ask(tc.method, tc.path, tc.body, nil); got != tc.want {
			t.Errorf("%s %s with %.60q: %d, want %d", tc.method, tc.path, tc.body, got, tc.want)
		}
	}
	e.settles("refused requests")
}

func TestOtherSitesAreRefused(t *testing.T) {
	e := serve(t)
	for _, site := range []string{"cross-site", "same-site"} {
		req, err := http.NewRequest("GET", e.url+"/offer", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", site)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("a request from another site (%s) got %s", site, res.Status)
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	e := serve(t)
	for i := range maxSessions {
		if status := e.ask("GET", "/offer", "", nil); status != http.StatusOK {
			t.Fatalf("session %d: %d", i, status)
		}
	}
	if status := e.ask("GET", "/offer", "", nil); status != http.StatusServiceUnavailable {
		t.Errorf("one session too many: %d", status)
	}
}

// The program prints where it serves, and ends when it is told to.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", w) }()
	b := make([]byte, 100)
	n, err := r.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(string(b[:n])), "browser-echo: ")
	if !ok {
		t.Fatalf("it printed %q", b[:n])
	}
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	cancel()
	if err := get(t, ended, "the end"); err != nil {
		t.Error(err)
	}
}
