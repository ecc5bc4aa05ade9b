package browsertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
)

// send sends a message over a channel that Go has made or heard of.
func (p *peer) send(label string, b []byte, isText bool) {
	p.t.Helper()
	dc := p.find(label)
	var err error
	if isText {
		err = dc.SendText(string(b))
	} else {
		err = dc.Send(b)
	}
	if err != nil {
		p.t.Fatalf("Send of %d bytes on %q: %v", len(b), label, err)
	}
}

// Messages of every size that both sides take arrive as they were sent, text as text, in both directions.
func TestMessageSizes(t *testing.T) {
	c := sharedChromium(t)
	sizes := []int{0, 1, 2, 1000, 1199, 1200, 1201, 16383, 16384, 65535, 65536, 65537, 131072, 262143, 262144}
	forBoth(t, func(t *testing.T, who offerer) {
		p, g := connect(t, c, who)
		var limit float64
		p.call(&limit, "() => pc.sctp.maxMessageSize")
		if int(limit) < sizes[len(sizes)-1] {
			t.Fatalf("the page may send %v bytes to Go", limit)
		}
		for _, isText := range []bool{true, false} {
			for _, n := range sizes {
				p.call(nil, "sendPattern", "first", n, isText)
				if e := g.next("first", "message"); e.isText != isText || !bytes.Equal(e.data, pattern(n)) {
					t.Errorf("Go got %d bytes (text: %v), the page sent %d (text: %v)", len(e.data), e.isText, n, isText)
				}
				g.send("first", pattern(n), isText)
				if h := p.next("first", "message"); h.IsText != isText || h.Size != n || h.SHA256 != sum(pattern(n)) {
					t.Errorf("the page got %d bytes (text: %v), Go sent %d (text: %v)", h.Size, h.IsText, n, isText)
				}
			}
		}
	})
}

// A message that the page says it does not take is refused where it is sent, and the channel goes on.
func TestTooLargeMessage(t *testing.T) {
	p, g := connect(t, sharedChromium(t), browserOffers)
	if err := g.find("first").Send(make([]byte, 1<<20)); err == nil { // Chromium's offer has a=max-message-size:262144
		t.Error("Go sent 1 MiB to a page that takes 256 KiB")
	}
	exchange(p, g)
}

func TestText(t *testing.T) {
	p, g := connect(t, sharedChromium(t), browserOffers)
	for _, text := range []string{"", "hello", "žluťoučký kůň", "🐎🐎", "line\nline\x00zero"} {
		p.call(nil, "say", "first", text)
		if e := g.next("first", "message"); !e.isText || string(e.data) != text {
			t.Errorf("Go heard %q (text: %v), the page said %q", e.data, e.isText, text)
		}
		g.send("first", []byte(text), true)
		if h := p.next("first", "message"); !h.IsText || h.Text != text {
			t.Errorf("the page heard %q (text: %v), Go said %q", h.Text, h.IsText, text)
		}
	}
}

// 1 MiB crosses each way at the same time; the page computes its checksums with crypto.subtle.
func TestTransfer(t *testing.T) {
	c := sharedChromium(t)
	forBoth(t, func(t *testing.T, who offerer) {
		p, g := connect(t, c, who)
		const total, piece = 1 << 20, 16 << 10
		data := make([]byte, total)
		rand.Read(data)
		sent := make(chan error, 1)
		go func() {
			for i := 0; i < total; i += piece {
				if err := g.find("first").SendContext(context.Background(), data[i:i+piece]); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		var want, got string
		p.call(&want, "sendPieces", "first", total, piece)
		p.call(&got, "receive", "first", total)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if got != sum(data) {
			t.Error("the page's bytes are not those that Go sent")
		}
		h := sha256.New()
		g.receive("first", total, h)
		if hex.EncodeToString(h.Sum(nil)) != want {
			t.Error("Go's bytes are not those that the page sent")
		}
	})
}

// receive takes messages until they add up to total bytes.
func (p *peer) receive(label string, total int, h hash.Hash) {
	p.t.Helper()
	for total > 0 {
		e := p.next(label, "message")
		h.Write(e.data)
		total -= len(e.data)
	}
	if total < 0 {
		p.t.Errorf("%d bytes too many came", -total)
	}
}

// A handler that is stuck keeps the browser's data waiting, in the browser; nothing is lost, and the connection lives.
func TestSlowHandlerSlowsTheBrowser(t *testing.T) {
	p, g := connect(t, sharedChromium(t), browserOffers)
	stuck := make(chan struct{})
	release := sync.OnceFunc(func() { close(stuck) })
	defer release()
	g.mu.Lock()
	g.stuck = stuck
	g.mu.Unlock()
	const total, piece = 12 << 20, 64 << 10 // Chromium's send refuses to hold 16 MiB
	var want string
	p.call(&want, "sendPieces", "first", total, piece)
	// Wait until the amount that the page has not got rid of stays the same for a while.
	var waiting float64
	p.call(&waiting, `async () => {
		for (let last = -1, same = 0;;) {
			const now = channels.first.bufferedAmount;
			same = now === last ? same + 1 : 0;
			if (same === 10 || now === 0) return now;
			last = now;
			await new Promise(resolve => setTimeout(resolve, 100));
		}
	}`)
	if waiting == 0 {
		t.Error("the page got rid of all its data while the handler was stuck at the first message")
	}
	release()
	h := sha256.New()
	g.receive("first", total, h)
	if hex.EncodeToString(h.Sum(nil)) != want {
		t.Error("Go's bytes are not those that the page sent")
	}
}

// attributes are W3C's of a channel. They read as JSON from the page, and for CreateDataChannel's RTCDataChannelInit into it.
type attributes struct {
	ID                *uint16 `json:"id,omitempty"`
	Protocol          string  `json:"protocol"`
	Ordered           bool    `json:"ordered"`
	MaxRetransmits    *uint16 `json:"maxRetransmits,omitempty"`
	MaxPacketLifeTime *uint16 `json:"maxPacketLifeTime,omitempty"`
	Negotiated        bool    `json:"negotiated"`
}

func attributesOf(dc *rtc.DataChannel) attributes {
	return attributes{dc.ID(), dc.Protocol(), dc.Ordered(), dc.MaxRetransmits(), dc.MaxPacketLifeTime(), dc.Negotiated()}
}

func (a attributes) init() *rtc.DataChannelInit {
	return &rtc.DataChannelInit{
		Ordered: &a.Ordered, MaxPacketLifeTime: a.MaxPacketLifeTime, MaxRetransmits: a.MaxRetransmits, Protocol: &a.Protocol,
		Negotiated: &a.Negotiated, ID: a.ID,
	}
}

var kinds = map[string]attributes{
	"ordered":            {Ordered: true},
	"unordered":          {},
	"no retransmissions": {MaxRetransmits: ptr(0)},
	"5 retransmissions":  {Ordered: true, MaxRetransmits: ptr(5)},
	"500 ms":             {MaxPacketLifeTime: ptr(500)},
	"protocol":           {Ordered: true, Protocol: "chat/2"},
	"negotiated":         {Ordered: true, Negotiated: true, ID: ptr(40)},
	"negotiated partial": {Negotiated: true, ID: ptr(41), MaxRetransmits: ptr(1)},
}

func ptr(n uint16) *uint16 { return &n }

// Channels of every kind, made by either side, before the first offer or on a connection that exists, are the same at both ends, and
// carry messages.
func TestChannelKinds(t *testing.T) {
	c := sharedChromium(t)
	for name, want := range kinds {
		for _, by := range []string{"the browser", "Go"} {
			for _, when := range []string{"before the offer", "later"} {
				t.Run(fmt.Sprintf("%s, made by %s %s", name, by, when), func(t *testing.T) {
					t.Parallel()
					const label = "kind"
					make := func(p *page, g *peer) {
						if by == "the browser" || want.Negotiated {
							p.call(nil, "create", label, want)
						}
						if by == "Go" || want.Negotiated {
							g.create(label, want.init())
						}
					}
					var p *page
					var g *peer
					if when == "later" {
						p, g = connect(t, c, browserOffers)
						make(p, g)
					} else {
						p, g = c.openPeer(t), newPeer(t)
						make(p, g)
						if by == "Go" {
							negotiate(p, g, goOffers)
						} else {
							negotiate(p, g, browserOffers)
						}
					}
					p.next(label, "open")
					g.next(label, "open")
					var atPage attributes
					p.call(&atPage, "attributes", label)
					atGo := attributesOf(g.find(label))
					if !reflect.DeepEqual(atPage, atGo) {
						t.Errorf("the page has %+v, Go has %+v", atPage, atGo)
					}
					if want.ID == nil {
						atGo.ID = nil
					}
					if !reflect.DeepEqual(atGo, want) {
						t.Errorf("Go has %+v, want %+v", atGo, want)
					}
					for i := range 20 {
						p.call(nil, "sendPattern", label, 100+i, true)
						if e := g.next(label, "message"); string(e.data) != string(pattern(100+i)) {
							t.Errorf("Go got %q as message %d", e.data, i)
						}
						g.send(label, pattern(200+i), false)
						if h := p.next(label, "message"); h.SHA256 != sum(pattern(200+i)) {
							t.Errorf("the page got something else as message %d", i)
						}
					}
				})
			}
		}
	}
}

// Many channels, made by both sides at once: each has an ID of its own, and each arrives with its first message.
func TestManyChannels(t *testing.T) {
	p, g := connect(t, sharedChromium(t), browserOffers)
	const n = 200
	p.call(nil, `n => {
		for (let i = 0; i < n; i++) {
			create("page " + i);
			channels["page " + i].addEventListener("open", () => say("page " + i, "from page " + i));
		}
	}`, n)
	for i := range n {
		label := fmt.Sprint("go ", i)
		g.create(label, nil)
	}
	ids := map[uint16]string{}
	for i := range n {
		label := fmt.Sprint("page ", i)
		g.next(label, "open")
		if e := g.next(label, "message"); string(e.data) != "from "+label {
			t.Errorf("Go heard %q on channel %q", e.data, label)
		}
		p.next(label, "open")
	}
	for i := range n {
		label := fmt.Sprint("go ", i)
		g.next(label, "open")
		g.send(label, []byte("from "+label), true)
		p.next(label, "open")
		if h := p.next(label, "message"); h.Text != "from "+label {
			t.Errorf("the page heard %q on channel %q", h.Text, label)
		}
	}
	for _, side := range []string{"page", "go"} {
		for i := range n {
			label := fmt.Sprint(side, " ", i)
			id := *g.find(label).ID()
			if other, taken := ids[id]; taken {
				t.Errorf("channels %q and %q both have ID %d", label, other, id)
			}
			ids[id] = label
			var atPage struct{ ID uint16 }
			if p.call(&atPage, "attributes", label); atPage.ID != id {
				t.Errorf("channel %q has ID %d at the page and %d at Go", label, atPage.ID, id)
			}
		}
	}
}

// Closing a channel closes it at both ends, after everything that was sent before, and leaves the others and its ID free.
func TestCloseOfAChannel(t *testing.T) {
	c := sharedChromium(t)
	for _, by := range []string{"the browser", "Go"} {
		for _, madeBy := range []string{"the browser", "Go"} {
			t.Run(fmt.Sprintf("by %s, made by %s", by, madeBy), func(t *testing.T) {
				p, g := connect(t, c, browserOffers)
				for round := range 3 {
					label := fmt.Sprint("closing ", round)
					if madeBy == "Go" {
						g.create(label, nil)
					} else {
						p.call(nil, "create", label, nil)
					}
					p.next(label, "open")
					g.next(label, "open")
					const n = 100
					if by == "Go" {
						dc := g.find(label)
						for i := range n {
							g.send(label, pattern(1000+i), false)
						}
						if err := dc.Close(); err != nil {
							t.Fatal(err)
						}
						for i := range n {
							if h := p.next(label, "message"); h.SHA256 != sum(pattern(1000+i)) {
								t.Fatalf("the page's message %d is not the one that was sent", i)
							}
						}
						p.next(label, "closing")
					} else {
						p.call(nil, `(label, n) => {
							for (let i = 0; i < n; i++) sendPattern(label, 1000 + i, false);
							channels[label].close();
						}`, label, n)
						for i := range n {
							if e := g.next(label, "message"); sum(e.data) != sum(pattern(1000+i)) {
								t.Fatalf("Go's message %d is not the one that was sent", i)
							}
						}
						g.next(label, "closing")
					}
					p.next(label, "close")
					g.next(label, "close")
				}
				exchange(p, g)
			})
		}
	}
}

// Both sides closing the same channel at once is a close like any other.
func TestBothClose(t *testing.T) {
	p, g := connect(t, sharedChromium(t), browserOffers)
	for round := range 10 {
		label := fmt.Sprint("both ", round)
		p.call(nil, "create", label, nil)
		p.next(label, "open")
		g.next(label, "open")
		closed := make(chan error, 1)
		go func() { closed <- g.find(label).Close() }()
		p.call(nil, "label => channels[label].close()", label)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		g.ends(label)
		for {
			var h heard
			p.call(&h, "next", label)
			if h.Kind == "close" {
				break
			}
		}
	}
	exchange(p, g)
}

// A connection that has nothing to say is kept alive by consent checks of both sides. RFC 7675 section 5.1: consent expires 30 seconds
// after the last response; the shorter time here sees several checks pass.
func TestIdle(t *testing.T) {
	if testing.Short() {
		return
	}
	p, g := connect(t, sharedChromium(t), browserOffers)
	p.call(nil, "() => new Promise(resolve => setTimeout(resolve, 12000))")
	if s := g.pc.ConnectionState(); s != rtc.PeerConnectionStateConnected {
		t.Errorf("the idle connection is %s", s)
	}
	begin := time.Now()
	exchange(p, g)
	t.Logf("after 12 idle seconds a message each way took %v", time.Since(begin))
}
