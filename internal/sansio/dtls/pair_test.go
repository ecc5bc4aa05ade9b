package dtls

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

var epochStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// seeded is a deterministic source of what a Config calls randomness.
func seeded(seed uint64) *rand.ChaCha8 {
	var b [32]byte
	for i := range 8 {
		b[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(b)
}

func mustGenerate(seed uint64) Certificate {
	cert, err := GenerateCertificate(seeded(seed), epochStart, epochStart.AddDate(0, 1, 0))
	if err != nil {
		panic(err)
	}
	return cert
}

func mustFingerprint(c Certificate) []Fingerprint {
	f, err := FingerprintOf(c.Chain[0], "sha-256")
	if err != nil {
		panic(err)
	}
	return []Fingerprint{f}
}

var clientCert, serverCert = mustGenerate(1), mustGenerate(2)

// pair is a client (end 0) and a server (end 1) joined by a wire.
type pair struct {
	t      testing.TB
	now    time.Time
	wire   *simnet.Wire
	ends   [2]*Conn
	events [2][]Event
	data   [2][][]byte // what each end got
	// filter may drop or change a datagram on its way from an end.
	filter func(from int, b []byte) []byte
	sent   [2]int
	fast   bool // without check
	log    func(from int, b []byte)
}

type pairConfig struct {
	seed           uint64
	net            simnet.Config
	client, server func(*Config)
	noFingerprints bool
	version        uint16 // of both ends; 0: 1.2, anyVersion: as they like
}

// anyVersion leaves the choice to the ends.
const anyVersion = 1

// limit makes a Config of one version.
func limit(cfg *Config, version uint16) {
	switch version {
	case 0:
		version = Version12
	case anyVersion:
		cfg.MinVersion, cfg.MaxVersion = Version12, Version13
		return
	}
	cfg.MinVersion, cfg.MaxVersion = version, version
}

// measure makes the flight's items follow each other again after a test has changed them.
func (f *flight) measure() {
	items := f.items
	f.items, f.size = nil, 0
	for _, item := range items {
		f.add(item.out, item.message)
	}
}

// eachVersion runs a test for each version, and for ends that do both.
func eachVersion(t *testing.T, f func(t *testing.T, version uint16)) {
	for _, v := range []struct {
		name    string
		version uint16
	}{{"1.2", Version12}, {"1.3", Version13}, {"any", anyVersion}} {
		t.Run(v.name, func(t *testing.T) { f(t, v.version) })
	}
}

func newPair(t testing.TB, pc pairConfig) *pair {
	t.Helper()
	p := &pair{t: t, now: epochStart, wire: simnet.NewWire(pc.seed, pc.net)}
	cc := Config{Rand: seeded(pc.seed*2 + 100), Client: true, Certificate: clientCert}
	sc := Config{Rand: seeded(pc.seed*2 + 101), Certificate: serverCert}
	limit(&cc, pc.version)
	limit(&sc, pc.version)
	if pc.client != nil {
		pc.client(&cc)
	}
	if pc.server != nil {
		pc.server(&sc)
	}
	for i, cfg := range []Config{cc, sc} {
		c, err := New(cfg)
		if err != nil {
			t.Fatalf("end %d: %v", i, err)
		}
		p.ends[i] = c
	}
	if !pc.noFingerprints {
		p.ends[0].SetFingerprints(mustFingerprint(sc.Certificate))
		p.ends[1].SetFingerprints(mustFingerprint(cc.Certificate))
	}
	return p
}

func (p *pair) start() {
	p.ends[0].Start(p.now)
	p.ends[1].Start(p.now)
	p.drain()
}

func (p *pair) check(c *Conn) {
	if !p.fast {
		c.check()
	}
}

// drain takes what both ends have to give.
func (p *pair) drain() {
	for i, c := range p.ends {
		p.check(c)
		for {
			b, ok := c.PollWrite(p.now, nil)
			p.check(c)
			if !ok {
				break
			}
			p.sent[i]++
			if p.log != nil {
				p.log(i, b)
			}
			if p.filter != nil {
				b = p.filter(i, b)
			}
			if b != nil {
				p.wire.Send(p.now, i, b)
			}
		}
		for b, ok := c.PollData(); ok; b, ok = c.PollData() {
			p.data[i] = append(p.data[i], bytes.Clone(b))
		}
		for e, ok := c.PollEvent(); ok; e, ok = c.PollEvent() {
			p.events[i] = append(p.events[i], e)
		}
	}
}

// next is when the next thing happens; zero when nothing will.
func (p *pair) next() time.Time {
	return simnet.Earliest(p.wire.Next(), p.ends[0].PollTimeout(), p.ends[1].PollTimeout())
}

// step goes to the next thing that happens; false when nothing will.
func (p *pair) step() bool {
	next := p.next()
	if next.IsZero() {
		return false
	}
	if next.Before(p.now) {
		p.t.Fatalf("time goes back from %v to %v", p.now, next)
	}
	p.now = next
	for to, b, ok := p.wire.Receive(p.now); ok; to, b, ok = p.wire.Receive(p.now) {
		p.ends[to].HandleDatagram(p.now, b)
		p.drain()
	}
	for _, c := range p.ends {
		if d := c.PollTimeout(); !d.IsZero() && !p.now.Before(d) {
			c.HandleTimeout(p.now)
			if d2 := c.PollTimeout(); !d2.IsZero() && !d2.After(p.now) {
				p.t.Fatalf("timeout at %v leaves a timeout at %v", d, d2)
			}
		}
	}
	p.drain()
	return true
}

// run steps until done says so, or nothing will happen, or it has been too long.
func (p *pair) run(done func() bool) bool {
	limit := p.now.Add(2 * time.Minute)
	for !done() {
		if !p.step() || p.now.After(limit) {
			return done()
		}
	}
	return true
}

// runTo lets time pass until then.
func (p *pair) runTo(then time.Time) {
	for next := p.next(); !next.IsZero() && !next.After(then); next = p.next() {
		p.step()
	}
	p.now = then
}

func (p *pair) settle() { p.run(func() bool { return false }) }

func (p *pair) connected() bool {
	return p.ends[0].State() == StateConnected && p.ends[1].State() == StateConnected
}

func (p *pair) wantConnected(because string) {
	p.t.Helper()
	if !p.run(p.connected) {
		p.t.Fatalf("%s: states %v and %v, events %v", because, p.ends[0].State(), p.ends[1].State(), p.events)
	}
}

func (p *pair) send(from int, msg string) { p.wire.Send(p.now, from, p.seal(from, msg)) }

func (p *pair) seal(from int, msg string) []byte {
	head, _ := p.ends[from].Overhead()
	return p.ends[from].Seal(append(make([]byte, head), msg...), 0)
}

func (p *pair) wantData(to int, because string, want ...string) {
	p.t.Helper()
	got := p.data[to]
	p.data[to] = nil
	if len(got) != len(want) {
		p.t.Fatalf("%s: end %d got %d messages %q, want %q", because, to, len(got), got, want)
	}
	for i := range want {
		if string(got[i]) != want[i] {
			p.t.Fatalf("%s: end %d got %q, want %q", because, to, got[i], want[i])
		}
	}
}

// wantFailed expects that end i has failed with an error like target, and gives it.
func (p *pair) wantFailed(i int, target any, because string) error {
	p.t.Helper()
	p.run(func() bool { return p.ends[i].State() >= StateClosed })
	if p.ends[i].State() != StateFailed || len(p.events[i]) == 0 {
		p.t.Fatalf("%s: end %d is %v with %v, want failed", because, i, p.ends[i].State(), p.events[i])
	}
	e := p.events[i][len(p.events[i])-1]
	if e.Type != EventFailed || target != nil && !errors.As(e.Err, target) {
		p.t.Fatalf("%s: end %d has %v (%v), want failed with %T", because, i, e.Type, e.Err, target)
	}
	return e.Err
}

func TestHandshake(t *testing.T) {
	p := newPair(t, pairConfig{net: simnet.Config{Delay: 10 * time.Millisecond}})
	p.start()
	p.wantConnected("a perfect path")
	if d := p.now.Sub(epochStart); d != 40*time.Millisecond {
		t.Errorf("connected after %v, want two round trips", d)
	}
	if p.sent != [2]int{2, 2} {
		t.Errorf("datagrams sent: %v, want one for each flight", p.sent)
	}
	for i, c := range p.ends {
		if len(p.events[i]) != 1 || p.events[i][0].Type != EventConnected {
			t.Errorf("end %d: events %v", i, p.events[i])
		}
		if c.CipherSuite() != suiteECDHEECDSAAES128GCM || c.Version() != version12 {
			t.Errorf("end %d: cipher suite %#x, version %#x", i, c.CipherSuite(), c.Version())
		}
		if profile, ok := c.SRTPProfile(); !ok || profile != SRTPAEADAES128GCM {
			t.Errorf("end %d: SRTP profile %v %v", i, profile, ok)
		}
	}
	a, err := p.ends[0].ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 56)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.ends[1].ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 56)
	if err != nil || !bytes.Equal(a, b) || len(a) != 56 {
		t.Errorf("exports differ: %x and %x, %v", a, b, err)
	}
	p.send(0, "ping")
	p.send(1, "pong")
	p.settle()
	p.wantData(1, "client's data", "ping")
	p.wantData(0, "server's data", "pong")
	p.ends[0].Close(p.now)
	p.drain()
	p.settle()
	if p.ends[0].State() != StateClosed || p.ends[1].State() != StateClosed {
		t.Errorf("after Close: %v and %v", p.ends[0].State(), p.ends[1].State())
	}
	if e := p.events[1][len(p.events[1])-1]; e.Type != EventClosed {
		t.Errorf("server's last event is %v", e)
	}
	if len(p.events[0]) != 1 {
		t.Errorf("client's own Close made an event: %v", p.events[0])
	}
}
