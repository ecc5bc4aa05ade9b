package jsep

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newTestSession returns a session whose credentials count up: ufrag "nameN".
func newTestSession(t testing.TB, name string, change ...func(*Config)) *Session {
	t.Helper()
	n := 0
	var seed [32]byte
	copy(seed[:], name)
	cfg := Config{
		Rand: rand.NewChaCha8(seed),
		NewCredentials: func() (string, string, error) {
			n++
			return fmt.Sprintf("%s%d", name, n), fmt.Sprintf("%sPasswordOfGeneration%d", name, n), nil
		},
		Fingerprints: []Fingerprint{{"sha-256", testFingerprint(name)}},
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	s.check()
	return s
}

// testFingerprint is made of the first letter of name.
func testFingerprint(name string) string {
	return strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%02X:", name[0]), 32), ":")
}

// okay returns a function that returns v and fails the test for an error.
func okay[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return v
	}
}

// setLocal and setRemote apply a description and check the session.
func setLocal(t testing.TB, s *Session, d Description) Change {
	t.Helper()
	c := okay[Change](t)(s.SetLocal(d))
	s.check()
	return c
}

func setRemote(t testing.TB, s *Session, d Description) Change {
	t.Helper()
	c := okay[Change](t)(s.SetRemote(d))
	s.check()
	return c
}

// negotiate runs an offer of from and the answer of to, and returns the two last changes.
func negotiate(t testing.TB, from, to *Session) (atOfferer, atAnswerer Change) {
	t.Helper()
	setLocal(t, from, Description{})
	offer, _ := from.Local()
	setRemote(t, to, offer)
	atAnswerer = setLocal(t, to, Description{})
	answer, _ := to.Local()
	return setRemote(t, from, answer), atAnswerer
}

// wantKind fails unless err is an *Error of that kind.
func wantKind(t testing.TB, err error, kind Kind, what string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, kind) {
		t.Fatalf("%s: got error %v, want %v", what, err, kind)
	}
}

// snapshot is all that the session shows.
func snapshot(s *Session) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.SignalingState(), s.NegotiationNeeded())
	for _, get := range []func() (Description, bool){s.CurrentLocal, s.PendingLocal, s.CurrentRemote, s.PendingRemote} {
		d, ok := get()
		fmt.Fprintln(&b, ok, d.Type, d.SDP)
	}
	for _, id := range s.Transceivers() {
		t, _ := s.Transceiver(id)
		fmt.Fprintf(&b, "%+v\n", t)
	}
	fmt.Fprintf(&b, "%+v\n", s.Media())
	return b.String()
}

// unchanged runs f and fails if the session shows something else afterwards.
func unchanged(t testing.TB, s *Session, what string, f func()) {
	t.Helper()
	before := snapshot(s)
	f()
	s.check()
	if diff := cmp.Diff(before, snapshot(s)); diff != "" {
		t.Fatalf("%s changed the session:\n%s", what, diff)
	}
}

func ptr[T any](v T) *T { return &v }
