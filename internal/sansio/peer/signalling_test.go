package peer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
	"github.com/sansrtc/rtc/internal/simnet"
)

var lan = simnet.Config{Delay: 10 * time.Millisecond}

// mangle changes a description's lines; a line for which f gives nothing is left out.
func mangle(d Description, f func(line string) []string) Description {
	var lines []string
	for line := range strings.Lines(d.SDP) {
		for _, l := range f(strings.TrimRight(line, "\r\n")) {
			lines = append(lines, l+"\r\n")
		}
	}
	d.SDP = strings.Join(lines, "")
	return d
}

// replaceLine replaces the lines that begin with prefix.
func replaceLine(d Description, prefix string, with ...string) Description {
	return mangle(d, func(line string) []string {
		if strings.HasPrefix(line, prefix) {
			return with
		}
		return []string{line}
	})
}

// An offerer answers checks before it has the answer, and sends nothing else; a ClientHello that comes meanwhile, in a check or by itself, is its
// handshake's first message. However late the answer is, the connection is there as soon as the paths allow.
func TestLateAnswer(t *testing.T) {
	for _, cfg := range []Config{{}, {AnsweringRole: RoleClient}, {AnsweringRole: RoleClient, DisableSPED: true}} {
		for _, late := range []time.Duration{0, 5 * time.Millisecond, 15 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second} {
			w := newWorld(t, 1, lan, cfg)
			var s sniffer
			answered := false
			w.see = func(from int, b []byte) bool {
				if what := s.describe(from, b); from == 0 && !answered && !strings.HasPrefix(what, "STUN success response") {
					w.fatalf("before the answer A sends %s", what)
				}
				return true
			}
			a := w.open(0, reliable("chat"))
			answer := w.answer(1, w.offer(0))
			w.run(late)
			hello := 10 * time.Millisecond
			if cfg.DisableSPED {
				hello = 30 * time.Millisecond
			}
			if early := w.core[0].dtls != nil; early != (cfg.AnsweringRole == RoleClient && late > hello) {
				t.Errorf("%v: the ClientHello has come: %v", late, early)
			}
			answered = true
			w.accept(0, answer)
			begin := w.now
			w.send1(a, "late")
			if d := w.now.Sub(begin); d > 5*time.Second {
				t.Errorf("answer after %v: the first message took %v from there", late, d)
			}
		}
	}
}

// send1 waits until A's channel is open, and for a message on it to arrive.
func (w *world) send1(a Handle, text string) {
	w.t.Helper()
	w.runUntil("open", time.Minute, func() bool { return w.core[0].ChannelState(a) == ChannelOpen })
	w.send(0, a, []byte(text))
	w.runUntil("message", time.Minute, func() bool {
		n := len(w.ear[1].got)
		return n > 0 && string(w.ear[1].got[n-1].Data) == text
	})
}

// A ClientHello comes early, and the answer then says that its sender is the server: then it was somebody else's, and the role is the answer's.
func TestAnswerSaysOtherwise(t *testing.T) {
	hello := clientHello(t)
	w := newWorld(t, 1, lan, Config{AnsweringRole: RoleServer})
	a := w.open(0, reliable("chat"))
	answer := w.answer(1, w.offer(0))
	w.run(15 * time.Millisecond) // B's check has come
	w.deliver(0, w.addr[1], hello)
	if w.core[0].dtls == nil || !w.core[0].transport.early {
		t.Fatal("the early ClientHello was not taken")
	}
	w.accept(0, answer)
	w.send1(a, "hello")
	if r := w.core[0].Report(); !r.DTLSClient {
		t.Error("A is not the client")
	}
}

// clientHello is one of a stranger.
func clientHello(t testing.TB) (hello []byte) {
	w := newWorld(t, 99, lan, Config{DisableSPED: true})
	var s sniffer
	w.see = func(from int, b []byte) bool {
		if s.describe(from, b) == "DTLS ClientHello" {
			hello = slices.Clone(b)
		}
		return true
	}
	w.connect()
	return hello
}

// An offer is rolled back after an early ClientHello has come for it: the next offer begins anew, and connects with somebody else.
func TestRollbackForgetsEarlyClientHello(t *testing.T) {
	w := newWorld(t, 1, lan, Config{AnsweringRole: RoleClient})
	a := w.open(0, reliable("chat"))
	w.answer(1, w.offer(0))
	w.run(100 * time.Millisecond)
	if !w.core[0].transport.early {
		t.Fatal("no ClientHello has come early")
	}
	w.must(w.core[0].SetLocal(w.now, Description{Type: Rollback}))
	w.flush()
	if s := w.core[0].connection; s != ConnectionNew {
		t.Errorf("after the rollback the connection is %s", s.name())
	}
	w.core[1].Close(w.now)
	w.run(time.Second)
	other, err := New(Config{Rand: seeded(2, 2), Certificate: certificates()[2]})
	w.must(err)
	w.core[1], w.ear[1] = other, &ear{w: w, who: 1, state: map[Handle]EventKind{}}
	w.negotiate(0)
	w.send1(a, "hello")
}

// Candidates may come at any time after the offer, before and after the answer is made: they are used.
func TestCandidatesBeforeTheAnswer(t *testing.T) {
	for _, when := range []string{"before the answer", "after the answer", "in the description"} {
		w := newWorld(t, 1, lan)
		a := w.open(0, reliable("chat"))
		full := w.offer(0)
		var candidates []RemoteCandidate
		mid := "0"
		bare := mangle(full, func(line string) []string {
			if c, ok := strings.CutPrefix(line, "a=candidate:"); ok {
				candidates = append(candidates, RemoteCandidate{Candidate: "candidate:" + c, SDPMid: &mid})
				return nil
			}
			if line == "a=end-of-candidates" {
				return nil
			}
			return []string{line}
		})
		if len(candidates) != 1 {
			t.Fatalf("%d candidates in %s", len(candidates), full.SDP)
		}
		add := func() {
			for _, c := range append(candidates, RemoteCandidate{SDPMid: &mid}) {
				w.must(w.core[1].AddRemoteCandidate(w.now, c))
			}
		}
		if err := w.core[1].AddRemoteCandidate(w.now, candidates[0]); KindOf(err) != KindInvalidState {
			t.Errorf("a candidate before any description: %v", err)
		}
		if when == "in the description" {
			bare = full
		}
		w.must(w.core[1].SetRemote(w.now, bare))
		if when == "before the answer" {
			add()
		}
		answer, err := w.core[1].CreateAnswer()
		w.must(err)
		w.must(w.core[1].SetLocal(w.now, answer))
		w.gather(1)
		if when == "after the answer" {
			add()
		}
		answer, _ = w.core[1].Descriptions().Local()
		// The offerer learns of B's address by its checks alone.
		w.accept(0, replaceLine(answer, "a=candidate:"))
		w.send1(a, when)
	}
}

// wantFailure lets a connection fail: both ends are told, no channel opens at the end that finds it out, A's channel ends by the error, and nothing more
// comes. The other end has verified its peer, and as DTLS server hears of the failure when it is connected.
func (w *world) wantFailure(finds int) {
	w.t.Helper()
	w.runUntil("failed at both ends", time.Minute, func() bool {
		return w.ear[0].connection() == Failed && w.ear[1].connection() == Failed
	})
	w.run(2 * time.Minute)
	for i, h := range w.ear {
		if len(h.got) > 0 || i == finds && (len(h.opened) > 0 || slices.Contains(h.states, Connected)) {
			w.fatalf("%c heard %q", 'A'+i, h.log)
		}
		if w.core[i].sctp != nil && i == finds {
			w.fatalf("%c has started SCTP", 'A'+i)
		}
		if _, err := w.core[i].OpenChannel(w.now, reliable("later")); err == nil {
			w.fatalf("%c may open a channel", 'A'+i)
		}
	}
	var wrong *dtls.FingerprintError
	if err := w.core[finds].Report().DTLSError; !errors.As(err, &wrong) {
		w.fatalf("%c: %v", 'A'+finds, err)
	}
	if tail := w.ear[0].log[len(w.ear[0].log)-3:]; len(w.ear[0].errs) != 1 || tail[2] != "connection failed" {
		w.fatalf("A heard at the end %q", tail)
	}
	if d := w.core[0].PollTimeout(); !d.IsZero() && d.Sub(w.now) < time.Millisecond {
		w.fatalf("a failed connection is busy")
	}
}

// CVE-2021-28681 (pion/webrtc), GHSA-qwfw-ggxw-577c (ex_webrtc): a data channel was usable after a failed certificate check, or there was no
// check in the client's role. Here the description of one side has another's fingerprint, in both DTLS roles.
func TestCVE_2021_28681_GHSA_qwfw_ggxw_577c_WrongFingerprint(t *testing.T) {
	wrong, err := dtls.FingerprintOf(certificates()[2].Chain[0], "sha-256")
	if err != nil {
		t.Fatal(err)
	}
	for _, passive := range []bool{false, true} {
		for who := range 2 {
			w := newWorld(t, 1, lan, Config{AnsweringRole: answering(passive)})
			w.open(0, reliable("chat"))
			swap := func(of int, d Description) Description {
				if of == who {
					d = replaceLine(d, "a=fingerprint:", "a=fingerprint:sha-256 "+wrong.String())
				}
				return d
			}
			w.accept(0, swap(1, w.answer(1, swap(0, w.offer(0)))))
			w.wantFailure(1 - who)
		}
	}
}

// The same when the description is right and the peer is not: somebody in the middle, with a certificate of his own.
func TestCVE_2021_28681_SwappedCertificate(t *testing.T) {
	for _, passive := range []bool{false, true} {
		for who := range 2 {
			w := newWorld(t, 1, lan, Config{AnsweringRole: answering(passive)})
			w.core[who].cfg.Certificate = certificates()[2]
			w.open(0, reliable("chat"))
			w.negotiate(0)
			w.wantFailure(1 - who)
		}
	}
}

// A hash that is not known proves nothing, one of several that is known and right does.
func TestFingerprintKinds(t *testing.T) {
	of := func(algorithm string, cert int) string {
		f, err := dtls.FingerprintOf(certificates()[cert].Chain[0], algorithm)
		if err != nil {
			t.Fatal(err)
		}
		return "a=fingerprint:" + algorithm + " " + f.String()
	}
	const unknown = "a=fingerprint:sha-999 01:02:03:04"
	for _, c := range []struct {
		lines []string
		want  ConnectionState
	}{
		{[]string{of("sha-256", 0)}, Connected},
		{[]string{of("sha-512", 0)}, Connected},
		{[]string{unknown, of("sha-384", 0)}, Connected},
		{[]string{of("sha-256", 2), of("sha-512", 0)}, Connected},
		{[]string{of("sha-256", 2), of("sha-256", 0)}, Connected},
		{[]string{unknown}, Closed}, // refused at once
		{[]string{unknown, of("sha-256", 2)}, Failed},
		{[]string{of("sha-512", 2)}, Failed},
	} {
		w := newWorld(t, 1, lan)
		w.open(0, reliable("chat"))
		offer := replaceLine(w.offer(0), "a=fingerprint:", c.lines...)
		if c.want == Closed {
			if err := w.core[1].SetRemote(w.now, offer); KindOf(err) != KindInvalidAccess {
				t.Errorf("%q: %v", c.lines, err)
			}
			continue
		}
		w.accept(0, w.answer(1, offer))
		w.runUntil(fmt.Sprint(c.lines), time.Minute, func() bool { return w.ear[1].connection() == c.want })
		if c.want == Failed {
			w.wantFailure(1)
		}
	}
}

// Data that arrives before the peer's certificate is verified is held, and comes when it is, or never. (The signalling brings credentials and
// fingerprint together, so the agent is told of the credentials behind the core's back.)
func TestDataBeforeFingerprint(t *testing.T) {
	for _, right := range []bool{true, false} {
		w := newWorld(t, 1, lan, Config{AnsweringRole: RoleClient})
		w.open(0, reliable("chat"))
		answer := w.answer(1, w.offer(0))
		creds := w.core[1].ice.LocalCredentials()
		w.core[0].ice.SetRemote(w.now, ice.Credentials{Ufrag: creds.Ufrag, Pwd: creds.Pwd}, false)
		w.run(time.Second)
		if s := w.ear[1].connection(); s != Connected {
			t.Fatalf("B is %s", s.name())
		}
		if s := w.ear[0].connection(); s != Connecting || w.core[0].sctp != nil {
			t.Fatalf("without a fingerprint A is %s", s.name())
		}
		if n := w.core[0].Report().DTLS.DataIn; n != 0 {
			t.Fatalf("%d records were delivered", n)
		}
		if !right {
			answer = replaceLine(answer, "a=fingerprint:", "a=fingerprint:sha-256 "+strings.Repeat("00:", 31)+"00")
		}
		w.accept(0, answer)
		if !right {
			w.run(time.Minute)
			if s := w.ear[0].connection(); s != Failed || len(w.ear[0].opened) > 0 || w.core[0].sctp != nil {
				t.Errorf("A is %s and heard %q", s.name(), w.ear[0].log)
			}
			continue
		}
		w.runUntil("open", 5*time.Second, func() bool { return len(w.ear[0].opened) == 1 })
	}
}

// An answer that rejects the data section ends the channels that waited for it.
func TestDataRejected(t *testing.T) {
	w := newWorld(t, 1, lan)
	a := w.open(0, reliable("chat"))
	answer := w.answer(1, w.offer(0))
	w.accept(0, replaceLine(answer, "m=application", "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"))
	w.run(time.Second)
	if w.core[0].ChannelState(a) != ChannelClosed || len(w.ear[0].errs) != 1 {
		t.Errorf("A heard %q", w.ear[0].log)
	}
	if !slices.Contains(w.ear[0].log, "error peer: the remote description rejects data channels") {
		t.Errorf("A heard %q", w.ear[0].log)
	}
	// The next channel asks for a negotiation of its own, and is offered.
	w.open(0, reliable("again"))
	w.run(time.Second)
	if !w.core[0].ConfirmNegotiation() || !strings.Contains(w.offer(0).SDP, "m=application 9 ") {
		t.Error("a channel that is made after the rejection is not negotiated")
	}
}

// Garbage from the signalling is an error that leaves everything as it was, or is ignored; the connection is made afterwards, or goes on.
func TestSDPGarbage(t *testing.T) {
	w := newWorld(t, 1, lan)
	a := w.open(0, reliable("chat"))
	offer := w.offer(0)
	change := func(prefix string, with ...string) Description { return replaceLine(offer, prefix, with...) }
	lines := func(n int, format string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(format, i, i&0xffff))
		}
		return list
	}
	garbage := []Description{
		{},
		{Type: Offer},
		{Type: Offer, SDP: "v=0\r\n"},
		{Type: Offer, SDP: strings.Repeat("v=0\r\n", 100_000)},
		{Type: Offer, SDP: strings.Repeat("\x00", 1<<20)},
		{Type: Offer, SDP: offer.SDP[:len(offer.SDP)/2]},
		{Type: Answer, SDP: offer.SDP},
		change("a=sctp-port:", "a=sctp-port:99999999999999999999"),
		change("a=sctp-port:", "a=sctp-port:65536"),
		change("a=sctp-port:", "a=sctp-port:-1"),
		change("a=sctp-port:", "a=sctp-port:"),
		change("a=max-message-size:", "a=max-message-size:-1"),
		change("a=max-message-size:", "a=max-message-size:many"),
		change("a=fingerprint:"),
		change("a=fingerprint:", "a=fingerprint:sha-256"),
		change("a=fingerprint:", "a=fingerprint:sha-256 zz:zz"),
		change("a=fingerprint:", "a=fingerprint:sha-256 01:02"),
		change("a=ice-ufrag:"),
		change("a=ice-ufrag:", "a=ice-ufrag:a"),
		change("a=ice-pwd:", "a=ice-pwd:short"),
		change("a=ice-pwd:", "a=ice-pwd:"+strings.Repeat("x", 1<<16)),
		change("a=setup:", "a=setup:nobody"),
		change("m=application", "m=application 9 UDP/DTLS/SCTP"),
		change("m=application", "m=application 99999 UDP/DTLS/SCTP webrtc-datachannel"),
		change("a=mid:", lines(10_000, "a=mid:%d%d")...),
		change("m=application", strings.Repeat("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", 10_000)),
	}
	for i, d := range garbage {
		before := w.core[1].SignalingState()
		if err := w.core[1].SetRemote(w.now, d); err != nil {
			if s := w.core[1].SignalingState(); s != before {
				t.Errorf("garbage %d: %v, and the state is %v", i, err, s)
			}
		} else if w.core[1].SignalingState() != Stable {
			t.Logf("garbage %d is accepted", i)
			w.must(w.core[1].SetRemote(w.now, Description{Type: Rollback}))
		}
		w.flush()
	}
	w.accept(0, w.answer(1, offer))
	w.send1(a, "hello")
	for i, d := range garbage {
		w.core[1].SetRemote(w.now, d)
		w.core[0].SetRemote(w.now, d)
		w.core[1].AddRemoteCandidate(w.now, RemoteCandidate{Candidate: d.SDP})
		w.flush()
		for _, c := range w.core {
			if c.SignalingState() != Stable {
				w.must(c.SetRemote(w.now, Description{Type: Rollback}))
			}
		}
		w.send1(a, fmt.Sprint(i))
	}
}

// In the descriptions of a real peer, numbers may be large: the largest message, and every SCTP port.
func TestHugeNumbers(t *testing.T) {
	for _, c := range []struct{ prefix, with string }{
		{"a=max-message-size:", "a=max-message-size:99999999999999999999"},
		{"a=max-message-size:", "a=max-message-size:9223372036854775807"},
		{"a=max-message-size:", "a=max-message-size:0"},
		{"a=candidate:", "a=candidate:1 1 udp 99999999999 192.0.2.1 1001 typ host"},
	} {
		w := newWorld(t, 1, lan)
		a := w.open(0, reliable("chat"))
		answer := w.answer(1, w.offer(0))
		if err := w.core[0].SetRemote(w.now, replaceLine(answer, c.prefix, c.with)); err != nil {
			t.Logf("%s: %v", c.with, err)
			w.accept(0, answer)
		}
		w.send1(a, "hello")
		if n := w.core[0].MaxSendMessageSize(); n <= 0 {
			t.Errorf("%s: the largest message has %d bytes", c.with, n)
		}
	}
}
