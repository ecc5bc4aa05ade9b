package main

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sansrtc/rtc"
)

// signaling carries an offer to the other side and the answer back. WebRTC does not say how: anything that two programs share will do.
type signaling interface {
	// offer gives the other side an offer and waits for its answer.
	offer(ctx context.Context, offer rtc.SessionDescription) (answer rtc.SessionDescription, err error)
	// answer waits for the other side's offer and gives it what f says to it.
	answer(ctx context.Context, f func(offer rtc.SessionDescription) (answer rtc.SessionDescription, err error)) error
}

// paste is signaling by the user's hand.
type paste struct {
	input       *lines
	out, events io.Writer
}

func (p *paste) offer(ctx context.Context, offer rtc.SessionDescription) (answer rtc.SessionDescription, err error) {
	fmt.Fprintln(p.events, "* give this line to the answering side:")
	if err := p.show(offer); err != nil {
		return answer, err
	}
	fmt.Fprintln(p.events, "* and paste its answer here:")
	return p.take(ctx)
}

func (p *paste) answer(ctx context.Context, f func(rtc.SessionDescription) (rtc.SessionDescription, error)) error {
	fmt.Fprintln(p.events, "* paste the offering side's line here:")
	offer, err := p.take(ctx)
	if err != nil {
		return err
	}
	answer, err := f(offer)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.events, "* give this line to the offering side:")
	return p.show(answer)
}

func (p *paste) show(d rtc.SessionDescription) error {
	line, err := encode(d)
	if err == nil {
		_, err = fmt.Fprintln(p.out, line)
	}
	return err
}

// take reads lines until one has something in it.
func (p *paste) take(ctx context.Context) (d rtc.SessionDescription, err error) {
	for {
		select {
		case line, ok := <-p.input.next:
			if !ok {
				return d, errors.Join(errors.New("the input ended before a description came"), p.input.err)
			}
			if line = strings.TrimSpace(line); line != "" {
				return decode(line)
			}
		case <-ctx.Done():
			return d, ctx.Err()
		}
	}
}

// maxDescription is the largest description that is taken, in bytes.
const maxDescription = 64 << 10

// encode makes one line of a description. It is compressed, since some terminals take no more than 1024 bytes of a line.
func encode(d rtc.SessionDescription) (string, error) {
	var b bytes.Buffer
	text := base64.NewEncoder(base64.RawURLEncoding, &b)
	small, err := flate.NewWriter(text, flate.BestCompression)
	if err != nil {
		return "", err
	}
	err = errors.Join(json.NewEncoder(small).Encode(d), small.Close(), text.Close())
	return b.String(), err
}

func decode(line string) (d rtc.SessionDescription, err error) {
	plain := flate.NewReader(base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(line)))
	if err := json.NewDecoder(io.LimitReader(plain, maxDescription)).Decode(&d); err != nil {
		return d, fmt.Errorf("this is no description: %w", err)
	}
	return d, nil
}

// local is signaling by HTTP between two programs on one machine: the offer is the body of a POST, the answer that of the response.
type local struct {
	addr   string // where the answering side listens
	events io.Writer
}

func (l *local) offer(ctx context.Context, offer rtc.SessionDescription) (answer rtc.SessionDescription, err error) {
	body, err := json.Marshal(offer)
	if err != nil {
		return answer, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+l.addr+"/", bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer, fmt.Errorf("is the answering side running? %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxDescription))
	if err != nil {
		return answer, err
	}
	if res.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("the answering side says: %s: %s", res.Status, printable(strings.TrimSpace(string(text))))
	}
	return answer, json.Unmarshal(text, &answer)
}

// answer serves until one offer was answered.
func (l *local) answer(ctx context.Context, f func(rtc.SessionDescription) (rtc.SessionDescription, error)) error {
	ln, err := net.Listen("tcp", l.addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(l.events, "* waiting for an offer at %s\n", ln.Addr())
	answered := make(chan struct{})
	turn := make(chan struct{}, 1) // held by the request that is being answered; the one that succeeds keeps it
	turn <- struct{}{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		// A page of any site can make its visitor's browser send a form or a text here, but not this type.
		if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" {
			http.Error(w, "want application/json", http.StatusUnsupportedMediaType)
			return
		}
		var offer rtc.SessionDescription
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDescription)).Decode(&offer); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case <-turn:
		default:
			http.Error(w, "somebody else was first", http.StatusConflict)
			return
		}
		answer, err := f(offer)
		if err != nil {
			turn <- struct{}{} // the next one may do better
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(answer)
		close(answered)
	})
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case <-answered:
		// Shutdown lets the answer out.
		grace, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return errors.Join(server.Shutdown(grace), server.Close())
	case err := <-failed:
		return err
	case <-ctx.Done():
		return errors.Join(ctx.Err(), server.Close())
	}
}
