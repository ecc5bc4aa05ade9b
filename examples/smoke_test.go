// Package examples_test runs the examples, and what the documents say that can be run, as a reader would: as programs of their own. It
// needs no network but loopback.
package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// bin is the folder of the examples' programs.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "examples"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		// With a separator at its end -o is a folder, also for a single program.
		if out, err := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "./...").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// patience is how long a program may take. It is killed then, which ends whatever a test is waiting for.
const patience = 90 * time.Second

// process is an example that is running.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	output *bufio.Scanner // standard output and standard error
	said   []string       // the lines read so far
}

func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	return cmd
}

func start(t *testing.T, example string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: strings.Join(append([]string{example}, args...), " "), cmd: command(t, filepath.Join(bin, example), args...)}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p.output = bufio.NewScanner(r)
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait() // fails if ends has waited already
	})
	return p
}

// hears reads what the program prints until a line matches, and gives the match and its groups.
func (p *process) hears(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for p.output.Scan() {
		p.said = append(p.said, p.output.Text())
		if m := re.FindStringSubmatch(p.output.Text()); m != nil {
			return m
		}
	}
	p.t.Fatalf("%s did not print %q before it ended: %v\n%s", p.name, pattern, p.output.Err(), strings.Join(p.said, "\n"))
	return nil
}

// types gives the program a line.
func (p *process) types(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("%s: %v\n%s", p.name, err, strings.Join(p.said, "\n"))
	}
}

// ends reads the rest, and wants the program to end with exit status 0.
func (p *process) ends() {
	p.t.Helper()
	for p.output.Scan() {
		p.said = append(p.said, p.output.Text())
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s: %v\n%s", p.name, err, strings.Join(p.said, "\n"))
	}
}

// ran is the standard output of a program that wants exit status 0.
func ran(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s\n%s", cmd.Args, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// want looks for patterns in a program's output, in their order.
func want(t *testing.T, output string, patterns ...string) {
	t.Helper()
	rest := output
	for _, pattern := range patterns {
		at := regexp.MustCompile("(?m)" + pattern).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("no %q in its place in\n%s", pattern, output)
		}
		rest = rest[at[1]:]
	}
}

// The quickstart connects, greets both ways, sends a file whose checksum is right, and says what the handlers heard.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	out := ran(t, command(t, filepath.Join(bin, "quickstart"), "-size", "1048576"))
	for _, side := range []string{"alice", "bob"} {
		other := map[string]string{"alice": "bob", "bob": "alice"}[side]
		_, heard, _ := strings.Cut(out, side+" heard\n")
		heard, _, _ = strings.Cut(heard, "\n\n")
		want(t, heard, `signaling: stable$`, `connection: connected$`, `channel "chat" is open$`, `text "hello, `+side+`"$`, `bytes `)
		want(t, heard, `channel "chat" is closed$`)
		if strings.Contains(heard, "hello, "+other) {
			t.Errorf("%s heard what was said to %s", side, other)
		}
	}
	want(t, out, `^connected in [0-9.]+ ms, 1 goroutine\(s\) per connection$`, `^1 MiB in .* SHA-256 [0-9a-f]+… is right$`)
}

// A simulation prints the same when it runs again with the same seed, and something else with another one. Its network loses as much as
// it was told to, and takes as long.
func TestSimulation(t *testing.T) {
	t.Parallel()
	simulate := func(args ...string) string {
		return ran(t, command(t, filepath.Join(bin, "simulation"), append([]string{"-n", "40"}, args...)...))
	}
	one := simulate("-seed", "1")
	want(t, one, `^40 calls, 50 messages of 1000 bytes each, 2 % loss, round trips of 80ms, seed 1$`,
		`^setup +40( +\d+\.\d){4}$`, `^delivery +2000 +40\.0( +\d+\.\d){3}$`, `^lost +\d+, [12]\.\d\d %$`, `^trace +[0-9a-f]{32}$`)
	if again := simulate("-seed", "1"); again != one {
		t.Errorf("with the same seed first\n%s\nthen\n%s", one, again)
	}
	trace := regexp.MustCompile(`trace +\S+`)
	if other := simulate("-seed", "2"); trace.FindString(other) == trace.FindString(one) {
		t.Errorf("with another seed the same trace\n%s", other)
	}
	want(t, simulate("-loss", "0", "-delay", "10ms"), `^setup +40( +40\.0){4}$`, `^delivery +2000( +10\.0){4}$`, `^lost +0, 0\.00 %$`)
}

// Two programs chat that were introduced by copy and paste.
func TestChatByCopyAndPaste(t *testing.T) {
	t.Parallel()
	offerer, answerer := start(t, "data-channels", "-offer"), start(t, "data-channels", "-answer")
	const description = `^([A-Za-z0-9_-]{100,})$`
	answerer.types(offerer.hears(description)[1])
	offerer.types(answerer.hears(description)[1])
	chat(t, offerer, answerer)
}

// Two programs chat that were introduced by HTTP on localhost.
func TestChatByHTTP(t *testing.T) {
	t.Parallel()
	answerer := start(t, "data-channels", "-answer", "-signal", "127.0.0.1:0")
	addr := answerer.hears(`waiting for an offer at (\S+)$`)[1]

	// What is no offer is refused, and does no harm.
	for contentType, status := range map[string]int{"application/json": http.StatusBadRequest, "text/plain": http.StatusUnsupportedMediaType} {
		res, err := http.Post("http://"+addr+"/", contentType, strings.NewReader(`{"type":"offer","sdp":"nonsense"}`))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("nonsense as %s got %s", contentType, res.Status)
		}
	}
	chat(t, start(t, "data-channels", "-offer", "-signal", addr), answerer)
}

// chat has both say something, and one end the chat: what it said before arrives, and both programs end.
func chat(t *testing.T, a, b *process) {
	t.Helper()
	a.hears(`channel "chat" is open`)
	b.hears(`channel "chat" is open`)
	a.types("hello\x1b[2J")
	b.hears("^> hello\uFFFD\\[2J$") // no terminal obeys what a stranger sends
	b.types("good morning, wie geht’s?")
	a.hears(`^> good morning, wie geht’s\?$`)
	for i := range 100 {
		a.types(fmt.Sprint("line ", i))
	}
	a.stdin.Close()
	for i := range 100 {
		b.hears(fmt.Sprintf("^> line %d$", i))
	}
	for _, p := range []*process{a, b} {
		p.hears(`channel "chat" is closed`)
		p.hears(`connection: closed`)
		p.ends()
	}
}

// A chat ends at both sides when one is interrupted.
func TestChatInterrupted(t *testing.T) {
	t.Parallel()
	answerer := start(t, "data-channels", "-answer", "-signal", "127.0.0.1:0")
	offerer := start(t, "data-channels", "-offer", "-signal", answerer.hears(`waiting for an offer at (\S+)$`)[1])
	offerer.hears(`channel "chat" is open`)
	answerer.hears(`channel "chat" is open`)
	if err := answerer.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	answerer.ends()
	offerer.ends()
}

// A runtime that is not of this module carries a connection.
func TestCustomRuntime(t *testing.T) {
	t.Parallel()
	want(t, ran(t, command(t, filepath.Join(bin, "custom-runtime"))), `^100 messages went to and fro in order; the network lost [1-9]\d* of \d+ datagrams$`)
}

// Browser-echo serves its page, and sends back what pion sends, which here is the browser. It ends when it is told to.
func TestBrowserEcho(t *testing.T) {
	t.Parallel()
	echo := start(t, "browser-echo", "-addr", "127.0.0.1:0")
	url := echo.hears(`^browser-echo: (http://127\.0\.0\.1:\d+/)$`)[1]
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("<title>browser-echo</title>")) {
		t.Fatalf("the page: %s, %v\n%s", res.Status, err, page)
	}

	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true) // there may be no other
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	negotiated, id := true, uint16(100)
	events, err := pc.CreateDataChannel("events", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan webrtc.DataChannelMessage, 64)
	events.OnMessage(func(msg webrtc.DataChannelMessage) { told <- msg })
	dc, err := pc.CreateDataChannel("echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	back := make(chan webrtc.DataChannelMessage, 2)
	dc.OnMessage(func(msg webrtc.DataChannelMessage) { back <- msg })
	dc.OnOpen(func() {
		dc.SendText("hello")
		dc.Send(make([]byte, 60_000))
	})
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	body, err := json.Marshal(pc.LocalDescription())
	if err != nil {
		t.Fatal(err)
	}
	if res, err = http.Post(url+"offer", "application/json", bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Description webrtc.SessionDescription }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatalf("the answer: %s: %v", res.Status, err)
	}
	if err := pc.SetRemoteDescription(answer.Description); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(patience)
	next := func(c chan webrtc.DataChannelMessage, what string) (msg webrtc.DataChannelMessage) {
		select {
		case msg = <-c:
		case <-deadline:
			t.Fatalf("%s did not come; pion is %v", what, pc.ConnectionState())
		}
		return msg
	}
	for _, want := range []webrtc.DataChannelMessage{{IsString: true, Data: []byte("hello")}, {Data: make([]byte, 60_000)}} {
		if got := next(back, "what was sent"); got.IsString != want.IsString || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("sent %.20q, got %.20q back", want.Data, got.Data)
		}
	}
	for _, want := range []string{"signaling: have-remote-offer", "connection: connected", `channel "echo": open`} {
		for string(next(told, want).Data) != want {
		}
	}
	if err := echo.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	echo.ends()
}
