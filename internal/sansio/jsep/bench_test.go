package jsep

import (
	"math/rand/v2"
	"testing"
)

// What a pair costs from nothing to a negotiated data section: each side makes its description, tells it with a candidate, and takes the other's.
func BenchmarkNegotiation(b *testing.B) {
	side := func(name string) Config {
		cfg := Config{
			Rand:           rand.NewChaCha8([32]byte{}),
			NewCredentials: func() (string, string, error) { return name, name + "PasswordOfTheSession", nil },
			Fingerprints:   []Fingerprint{{"sha-256", testFingerprint(name)}},
			NewSCTPInit:    func() ([]byte, error) { return []byte(name), nil },
			CheckSCTPInit:  func([]byte) error { return nil },
			SPED:           true,
		}
		withMedia(&cfg)
		return cfg
	}
	fatal := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	begin := func(cfg Config) *Session {
		s, err := New(cfg)
		fatal(err)
		return s
	}
	tell := func(s *Session, ufrag string) Description {
		_, err := s.SetLocal(Description{})
		fatal(err)
		s.AddLocalCandidate(ufrag, hostCandidate)
		s.EndOfLocalCandidates(ufrag)
		d, _ := s.Local()
		return d
	}
	hear := func(s *Session, d Description) {
		_, err := s.SetRemote(d)
		fatal(err)
	}
	alice, bobby := side("alice"), side("bobby")
	b.ReportAllocs()
	for b.Loop() {
		offerer, answerer := begin(alice), begin(bobby)
		offerer.NeedDataChannel()
		hear(answerer, tell(offerer, "alice"))
		hear(offerer, tell(answerer, "bobby"))
	}
}
