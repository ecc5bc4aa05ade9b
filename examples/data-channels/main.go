// Data-channels is a chat between two terminals, and the first page of a tutorial: how two programs that know nothing of each other get a
// connection. In one terminal
//
//	go run ./examples/data-channels -offer
//
// and in another one, on the same machine or on another one in the same network,
//
//	go run ./examples/data-channels -answer
//
// Each prints one line, its description: who it is and where it can be reached. Paste the offerer's line into the answerer's terminal, and
// then the answerer's into the offerer's. That is all of signaling. From then on each line that you type goes to the other side directly,
// encrypted, over a data channel; the end of the input (ctrl-D) ends the chat at both sides. On one machine the two can also do without
// your help:
//
//	go run ./examples/data-channels -answer -signal 127.0.0.1:9000
//	go run ./examples/data-channels -offer -signal 127.0.0.1:9000
//
// This file is the connection, signaling.go is the way that descriptions take. What was said, and the description, goes to standard output,
// what happens to the connection to standard error.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"github.com/sansrtc/rtc"
)

func main() {
	log.SetFlags(0)
	offer := flag.Bool("offer", false, "be the one who offers")
	answer := flag.Bool("answer", false, "be the one who answers")
	addr := flag.String("signal", "", "host:port on which the answering side, started first, takes the offer by HTTP; default is copy and paste")
	flag.Parse()
	if *offer == *answer || flag.NArg() > 0 {
		log.Print("data-channels: want either -offer or -answer")
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *offer, *addr, os.Stdin, os.Stdout, os.Stderr); err != nil && ctx.Err() == nil {
		log.Fatal("data-channels: ", err)
	}
}

// chat is the handler of the connection. Its methods are called one at a time, in the order in which things happen.
type chat struct {
	rtc.BaseHandler // no-ops for the events that this program does not need
	out, events     io.Writer

	channel *rtc.DataChannel      // only the methods use it, so it needs no lock
	open    chan *rtc.DataChannel // gets the channel when messages may be sent
	closed  chan struct{}         // closed when the channel is
}

func (c *chat) OnICECandidate(_ *rtc.PeerConnection, candidate *rtc.ICECandidate) {
	if candidate != nil {
		fmt.Fprintf(c.events, "* can be reached at %s port %d\n", candidate.Address, candidate.Port)
	}
}

func (c *chat) OnConnectionStateChange(pc *rtc.PeerConnection, s rtc.PeerConnectionState) {
	fmt.Fprintf(c.events, "* connection: %v\n", s)
	if s == rtc.PeerConnectionStateFailed {
		pc.Close()
	}
}

func (c *chat) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	if c.channel != nil { // a program that is not this one may make many
		dc.Close()
		return
	}
	fmt.Fprintf(c.events, "* channel %q is open: type away\n", dc.Label())
	c.channel = dc
	c.open <- dc
}

func (c *chat) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	if dc == c.channel {
		fmt.Fprintf(c.out, "> %s\n", printable(string(msg.Data)))
	}
}

func (c *chat) OnDataChannelClose(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	if dc == c.channel {
		fmt.Fprintf(c.events, "* channel %q is closed\n", dc.Label())
		close(c.closed)
	}
}

// run is one side of the chat. It returns nil when either side has ended it.
func run(ctx context.Context, offers bool, addr string, in io.Reader, out, events io.Writer) error {
	input := read(in)
	var signaling signaling = &paste{input, out, events}
	if addr != "" {
		signaling = &local{addr, events}
	}

	c := &chat{out: out, events: events, open: make(chan *rtc.DataChannel, 1), closed: make(chan struct{})}
	pc, err := rtc.NewBuilder().Handler(c).Build(ctx)
	if err != nil {
		return err
	}
	// Close waits for nobody. Done says that the last handler has returned and that nothing is left of the connection.
	defer func() { pc.Close(); <-pc.Done() }()

	if offers {
		err = offer(ctx, pc, signaling)
	} else {
		err = signaling.answer(ctx, func(offer rtc.SessionDescription) (rtc.SessionDescription, error) {
			return answer(ctx, pc, offer)
		})
	}
	if err != nil {
		return err
	}

	select {
	case dc := <-c.open:
		return talk(ctx, dc, input, c.closed)
	case <-pc.Done():
		return errors.New("there is no way to the other side")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// offer connects pc as the side that makes the data channel and the offer.
func offer(ctx context.Context, pc *rtc.PeerConnection, s signaling) error {
	if _, err := pc.CreateDataChannel("chat", nil); err != nil {
		return err
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	offer, err = withCandidates(ctx, pc, offer)
	if err != nil {
		return err
	}
	answer, err := s.offer(ctx, offer)
	if err != nil {
		return err
	}
	return pc.SetRemoteDescription(answer)
}

// answer connects pc as the side that was given an offer.
func answer(ctx context.Context, pc *rtc.PeerConnection, offer rtc.SessionDescription) (answer rtc.SessionDescription, err error) {
	if err := pc.SetRemoteDescription(offer); err != nil {
		return answer, err
	}
	if answer, err = pc.CreateAnswer(nil); err != nil {
		return answer, err
	}
	return withCandidates(ctx, pc, answer)
}

// withCandidates applies the description and waits until all addresses of this side are in it, so that it is all the other side needs. A
// program whose signaling can carry more than one message would send it at once, and the candidates one by one from OnICECandidate.
func withCandidates(ctx context.Context, pc *rtc.PeerConnection, d rtc.SessionDescription) (rtc.SessionDescription, error) {
	if err := pc.SetLocalDescription(d); err != nil {
		return d, err
	}
	select {
	case <-pc.GatheringComplete():
		return *pc.LocalDescription(), nil
	case <-ctx.Done():
		return d, ctx.Err()
	}
}

// talk sends what is typed, until one side ends the chat.
func talk(ctx context.Context, dc *rtc.DataChannel, input *lines, closed <-chan struct{}) error {
	for {
		select {
		case line, ok := <-input.next:
			if !ok {
				// Closing the channel lets everything out that was sent. Closing the connection at once would not.
				dc.Close()
				select {
				case <-closed:
				case <-ctx.Done():
				}
				return input.err
			}
			if err := dc.SendTextContext(ctx, strings.ToValidUTF8(line, "\uFFFD")); err != nil {
				return err
			}
		case <-closed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lines is an input that can be waited for beside other things.
type lines struct {
	next chan string // closed at the end
	err  error       // why it ended, if that was no end of file; to be read when next is closed
}

// maxLine is the longest line that is read, in bytes.
const maxLine = 64 << 10

// read reads on a goroutine of its own. That one may be waiting for input when the chat ends, and ends with the program.
func read(in io.Reader) *lines {
	l := &lines{next: make(chan string)}
	go func() {
		defer close(l.next)
		s := bufio.NewScanner(in)
		s.Buffer(nil, maxLine)
		for s.Scan() {
			l.next <- s.Text()
		}
		l.err = s.Err()
	}()
	return l
}

// printable is what may be shown of a stranger's text: terminals obey control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
