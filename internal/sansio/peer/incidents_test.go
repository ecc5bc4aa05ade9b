package peer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/sansrtc/rtc/internal/simnet"
)

// What went wrong elsewhere. Each test sends what an attacker sent there; the connection is made as if nothing had happened, or goes on.

// strangers are addresses that an attacker has: another port of the peer's machine, or another machine.
func (w *world) strangers() []netip.AddrPort {
	return []netip.AddrPort{
		netip.AddrPortFrom(w.addr[1].Addr(), w.addr[1].Port()+1),
		netip.MustParseAddrPort("203.0.113.7:443"),
		netip.MustParseAddrPort("[2001:db8::7]:443"),
	}
}

// duringSetup makes a connection, and lets attack happen in each state that it goes through: before there is anything, with an offer, while
// checking, during the handshake, when connected.
func duringSetup(t *testing.T, seed uint64, passive bool, attack func(w *world)) (w *world, a Handle) {
	t.Helper()
	w = newWorld(t, seed, lan, Config{AnsweringRole: answering(passive)})
	attack(w)
	a = w.open(0, reliable("chat"))
	offer := w.offer(0)
	attack(w)
	answer := w.answer(1, offer)
	for range 10 {
		w.run(5 * time.Millisecond)
		attack(w)
	}
	w.accept(0, answer)
	for range 40 {
		w.run(5 * time.Millisecond)
		attack(w)
	}
	w.send1(a, "hello")
	if d := w.now.Sub(epoch); d > 500*time.Millisecond {
		w.fatalf("the attack costs time")
	}
	attack(w)
	w.send1(a, "and on")
	return w, a
}

// wantNoAnswer fails the test when something is sent to an address that is not the peer's.
func (w *world) wantNoAnswer(what string, f func()) {
	w.t.Helper()
	sent := w.sent
	before := w.core[0].connection
	f()
	if w.sent != sent {
		w.fatalf("%s is answered", what)
	}
	if w.core[0].connection != before {
		w.fatalf("%s changes the state", what)
	}
}

// CVE-2023-49786 (Asterisk), CVE-2023-51443 (FreeSWITCH): a ClientHello with an unacceptable cipher suite, from anywhere, before the true one,
// ended the call. Here it comes before, during and after the handshake.
func TestCVE_2023_49786_CVE_2023_51443_ForgedClientHello(t *testing.T) {
	good := clientHello(t)
	bad := slices.Clone(good)
	// The suites follow the record's and the message's header, version, random, an empty session and an empty cookie.
	at := 13 + 12 + 2 + 32 + 1 + 1
	for i := range int(bad[at])<<8 | int(bad[at+1]) {
		bad[at+2+i] = 0xfa
	}
	for _, passive := range []bool{false, true} {
		w, _ := duringSetup(t, 1, passive, func(w *world) {
			for _, hello := range [][]byte{good, bad} {
				for _, from := range w.strangers() {
					w.wantNoAnswer("a ClientHello from a stranger", func() { w.deliver(0, from, hello) })
				}
			}
		})
		if r := w.core[0].Report(); r.DroppedUnauthenticated == 0 || r.DTLS.MessagesRefused > 0 {
			t.Errorf("passive %v: %+v", passive, r.Stats)
		}
	}
}

// The same with the peer's own address, and acceptable, at each point of the setup: the handshake is with the peer all the same, and no later.
func TestClientHelloWithThePeersAddress(t *testing.T) {
	hello := clientHello(t)
	for _, passive := range []bool{false, true} {
		plain, _ := duringSetup(t, 1, passive, func(*world) {})
		w, _ := duringSetup(t, 1, passive, func(w *world) {
			for to := range w.core {
				w.deliver(to, w.addr[1-to], slices.Clone(hello))
			}
		})
		if w.now.After(plain.now) {
			t.Errorf("passive %v: %v late", passive, w.now.Sub(plain.now))
		}
	}
}

// request is a check as somebody who has seen the descriptions, but not the passwords, could forge it.
func (w *world) request(to int, integrity stun.Setter) []byte {
	c := w.core[to]
	if c.ice == nil {
		return nil
	}
	user := stun.NewUsername(c.ice.LocalCredentials().Ufrag + ":" + "frag")
	if peer := w.core[1-to]; peer.ice != nil {
		user = stun.NewUsername(c.ice.LocalCredentials().Ufrag + ":" + peer.ice.LocalCredentials().Ufrag)
	}
	setters := []stun.Setter{stun.TransactionID, stun.BindingRequest, user, stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{0x7f, 0, 0, 1}},
		stun.RawAttribute{Type: stun.AttrUseCandidate}, stun.RawAttribute{Type: stun.AttrICEControlled, Value: []byte{255, 255, 255, 255, 255, 255, 255, 255}}}
	if integrity != nil {
		setters = append(setters, integrity)
	}
	return stun.MustBuild(append(setters, stun.Fingerprint)...).Raw
}

// CVE-2026-116790 (FreeSWITCH): checks were accepted without MESSAGE-INTEGRITY. Without it, or with a wrong one, a check makes no candidate, no
// role conflict, no nomination and no answer, and DTLS from its address stays unwelcome.
func TestCVE_2026_116790_NoMessageIntegrity(t *testing.T) {
	hello := clientHello(t)
	w, _ := duringSetup(t, 1, false, func(w *world) {
		for _, integrity := range []stun.Setter{nil, stun.NewShortTermIntegrity(""), stun.NewShortTermIntegrity("a guess of the password")} {
			b := w.request(0, integrity)
			if b == nil {
				continue
			}
			for _, from := range append(w.strangers(), w.addr[1]) {
				w.wantNoAnswer("a check without integrity", func() { w.deliver(0, from, b) })
				if from != w.addr[1] && w.core[0].ice.Accepts(w.addr[0], from) {
					w.fatalf("%v is accepted", from)
				}
				if from != w.addr[1] {
					w.wantNoAnswer("DTLS after a check without integrity", func() { w.deliver(0, from, hello) })
				}
			}
		}
	})
	if n := w.core[0].Report().ICE.Dropped.Integrity; n == 0 {
		t.Error("nothing was dropped for its integrity")
	}
}

// CVE-2026-103936 (libp2p's webrtc-direct): one datagram before any authentication ended the process. Here come the true datagrams of a whole
// connection, cut at each length and with each byte changed, in each of its states; the stranger who sends them achieves nothing.
func TestCVE_2026_103936_MangledDatagrams(t *testing.T) {
	var all [][]byte
	kinds := map[string]bool{}
	var s sniffer
	source := newWorld(t, 5, lan, Config{KeyLog: &s.keyLog})
	source.see = func(from int, b []byte) bool {
		if what := s.describe(from, b); !kinds[what] {
			kinds[what] = true
			all = append(all, slices.Clone(b))
		}
		return true
	}
	a, _ := source.connect()
	source.send1(a, "hello")
	source.core[0].Close(source.now)
	source.settle()
	if len(all) < 10 {
		t.Fatalf("%d kinds of datagrams", len(all))
	}
	rng := source.rng
	mangled := func(w *world, from netip.AddrPort) {
		b := all[rng.IntN(len(all))]
		for i := range b {
			w.core[0].HandleRead(w.now, w.addr[0], from, slices.Clone(b[:i]), 0)
			c := slices.Clone(b)
			c[i] ^= byte(1 + rng.IntN(255))
			w.core[0].HandleRead(w.now, w.addr[0], from, c, 1+rng.IntN(len(c)))
		}
		w.core[0].EndBurst(w.now)
	}
	for seed := range uint64(4) {
		w, a := duringSetup(t, seed, seed&1 != 0, func(w *world) {
			for _, from := range w.strangers() {
				w.wantNoAnswer("a mangled datagram", func() { mangled(w, from); w.flush() })
			}
		})
		// When connected, they may as well bear the peer's address.
		for range 50 {
			mangled(w, w.addr[1])
			w.flush()
		}
		w.send1(a, "after all")
		w.core[0].Close(w.now)
		mangled(w, w.addr[1])
		w.core[0].Release()
		mangled(w, w.addr[1])
	}
}

// plain is a record that nobody has sealed.
func plain(typ byte, content []byte) []byte {
	return append([]byte{typ, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, byte(len(content) >> 8), byte(len(content))}, content...)
}

// CVE-2019-20786 (pion/dtls): application data in the clear was accepted.
func TestCVE_2019_20786_PlaintextData(t *testing.T) {
	for _, passive := range []bool{false, true} {
		w := newWorld(t, 1, lan, Config{AnsweringRole: answering(passive)})
		var s sniffer
		w.sniff(&s)
		w.core[0].cfg.KeyLog = &s.keyLog
		a, _ := w.connect()
		w.settle()
		for who := range 2 {
			forged := s.packet(who, s.data(1-who, 0, 0, 51, []byte("forged")), s.data(1-who, 1, 0, 51, []byte("forged")), chunk(chunkAbort, 0, nil))
			w.wantNoAnswer("data in the clear", func() { w.deliver(who, w.addr[1-who], plain(23, forged)) })
			if n := w.core[who].Report().DTLS.DroppedPlaintextData; n != 1 {
				t.Errorf("%d records are dropped as plaintext", n)
			}
		}
		w.send1(a, "hello")
		if len(w.ear[0].got)+len(w.ear[1].got) != 1 {
			t.Errorf("A got %v, B got %v", w.ear[0].got, w.ear[1].got)
		}
	}
}

// Alerts in the clear, close_notify among them, bear the peer's address in every state, in both roles: they end nothing.
func TestPlaintextAlerts(t *testing.T) {
	for _, passive := range []bool{false, true} {
		duringSetup(t, 1, passive, func(w *world) {
			for who := range 2 {
				for _, level := range []byte{1, 2} {
					for _, alert := range []byte{0, 10, 20, 40, 42, 80} {
						w.deliver(who, w.addr[1-who], plain(21, []byte{level, alert}))
					}
				}
			}
		})
	}
}

// All that was ever sent comes again, from the peer's address and from others: nothing is delivered twice, and nothing is ended.
func TestReplay(t *testing.T) {
	w := newWorld(t, 1, lan)
	var sent [2][][]byte
	w.see = func(from int, b []byte) bool {
		sent[from] = append(sent[from], slices.Clone(b))
		return true
	}
	a, b := w.connect()
	for i := range 50 {
		w.send(0, a, body(i, 500*i))
		w.send(1, b, body(i, 500*i))
	}
	w.settle()
	w.core[0].RestartICE()
	w.negotiate(0)
	w.settle()
	other := w.open(0, reliable("other"))
	w.settle()
	w.core[0].CloseChannel(w.now, other)
	w.settle()
	w.see = nil
	var heard [2]int
	for i, h := range w.ear {
		heard[i] = len(h.log)
	}
	for range 2 {
		for who := range 2 {
			for _, b := range sent[1-who] {
				w.deliver(who, w.addr[1-who], b)
				for _, from := range w.strangers() {
					w.deliver(who, from, b)
				}
			}
		}
	}
	for i, h := range w.ear {
		if len(h.log) != heard[i] {
			t.Errorf("%c hears %q", 'A'+i, h.log[heard[i]:])
		}
		if n := w.core[i].Report().DTLS.DroppedReplay; int(n) < len(sent[1-i]) {
			t.Errorf("%c drops %d replays", 'A'+i, n)
		}
	}
	w.send1(a, "hello")
}

// Datagrams that begin with each byte there is are dropped, and each is counted once.
func TestGarbageOfEveryFirstByte(t *testing.T) {
	var unknown, unauthenticated uint64
	w, _ := duringSetup(t, 1, false, func(w *world) {
		for first := range 256 {
			for _, n := range []int{1, 2, 13, 20, 100, 1200} {
				b := make([]byte, n)
				for i := range b {
					b[i] = byte(w.rng.Uint32())
				}
				b[0] = byte(first)
				for _, from := range append(w.strangers(), w.addr[1]) {
					before := w.core[0].stats
					w.core[0].HandleRead(w.now, w.addr[0], from, slices.Clone(b), 0)
					after := w.core[0].stats
					unknown += after.DroppedUnknown - before.DroppedUnknown
					unauthenticated += after.DroppedUnauthenticated - before.DroppedUnauthenticated
					drops := after.DroppedUnknown + after.DroppedUnauthenticated + after.DroppedEarly -
						before.DroppedUnknown - before.DroppedUnauthenticated - before.DroppedEarly
					sorted := first <= 3 || first >= 20 && first <= 63
					if drops > 1 || !sorted && drops != 1 || after.PacketsReceived != before.PacketsReceived+1 {
						w.fatalf("first byte %d: %d drops", first, drops)
					}
				}
			}
		}
		w.core[0].EndBurst(w.now)
		w.flush()
	})
	if unknown == 0 || unauthenticated == 0 || w.core[0].Report().DTLS.DroppedMalformed == 0 {
		t.Errorf("%+v", w.core[0].Report().Stats)
	}
}

// Only authenticated data is a sign of life: garbage with the peer's address does not hide that the peer is gone.
func TestGarbageIsNoSignOfLife(t *testing.T) {
	w := newWorld(t, 1, lan)
	w.connect()
	w.settle()
	w.wire.Pipes[1].SetConfig(simnet.Config{Down: true})
	garbage := append([]byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 0, 0, 100}, make([]byte, 100)...)
	for range 80 {
		w.run(100 * time.Millisecond)
		w.deliver(0, w.addr[1], garbage)
		w.deliver(0, w.addr[1], []byte{22})
	}
	if s := w.ear[0].connection(); s != Disconnected {
		t.Errorf("after 8 s of garbage A is %s", s.name())
	}
}

// Candidates without end are bounded where they are kept and where they are checked.
func TestRemoteCandidateFlood(t *testing.T) {
	w := newWorld(t, 1, lan)
	a := w.open(0, reliable("chat"))
	answer := w.answer(1, w.offer(0))
	w.accept(0, answer)
	mid, refused := "0", 0
	for i := range 10_000 {
		line := fmt.Sprintf("candidate:%d 1 udp %d 198.51.%d.%d %d typ host", i, 1+i, 100+i/250%100, 1+i%250, 1000+i)
		if err := w.core[0].AddRemoteCandidate(w.now, RemoteCandidate{Candidate: line, SDPMid: &mid}); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("all 10 000 are kept")
	}
	sent := w.sent[0]
	w.send1(a, "hello")
	w.run(10 * time.Second)
	r := w.core[0].Report()
	if len(r.ICE.Pairs) > 100 || w.sent[0]-sent > 1000 {
		t.Errorf("%d pairs, %d datagrams in 10 s", len(r.ICE.Pairs), w.sent[0]-sent)
	}
	d, _ := w.core[0].Descriptions().Remote()
	if n := strings.Count(d.SDP, "a=candidate:"); n > 1000 {
		t.Errorf("the description has %d candidates", n)
	}
}

// The peer itself sends correct checks from thousands of ports: they are not learned without end.
func TestCheckFlood(t *testing.T) {
	w := newWorld(t, 1, lan)
	a, _ := w.connect()
	pwd := w.core[0].ice.LocalCredentials().Pwd
	for port := range 10_000 {
		w.deliver(0, netip.AddrPortFrom(w.addr[1].Addr(), uint16(10_000+port)), w.request(0, stun.NewShortTermIntegrity(pwd)))
	}
	if n := len(w.core[0].Report().ICE.Pairs); n > 100 {
		t.Errorf("%d pairs", n)
	}
	w.send1(a, "hello")
}
