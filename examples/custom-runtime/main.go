// Custom-runtime runs two connections in a network that this library knows nothing of: pion's vnet, a router with a delay and losses in
// memory. vnetruntime.go is all that it takes, and its test holds it to the same promises as the runtimes that come with the library.
// The program prints what both sides heard and what became of the datagrams on the way.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"

	"github.com/sansrtc/rtc"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

const (
	delay    = 20 * time.Millisecond // one way
	lossOf   = 10                    // one datagram of so many is lost
	messages = 100
)

// network is a router and the machines behind it.
type network struct {
	router     *vnet.Router
	sent, lost atomic.Int64
}

func newNetwork(delay time.Duration) (*network, error) {
	r, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR:          "192.0.2.0/24",
		MinDelay:      delay,
		LoggerFactory: logging.NewDefaultLoggerFactory(),
	})
	return &network{router: r}, err
}

// machine adds a machine with an address.
func (n *network) machine(addr string) (VNet, error) {
	m, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{addr}})
	if err != nil {
		return VNet{}, err
	}
	return VNet{m}, n.router.AddNet(m)
}

// loseSome drops one datagram of lossOf.
func (n *network) loseSome() {
	n.router.AddChunkFilter(func(vnet.Chunk) bool {
		if n.sent.Add(1)%lossOf == 0 {
			n.lost.Add(1)
			return false
		}
		return true
	})
}

// peer is the handler of one side.
type peer struct {
	rtc.BaseHandler
	name   string
	signal chan rtc.ICECandidateInit // candidates for the other side
	opened chan *rtc.DataChannel
	echoed chan struct{} // closed when all messages have come back

	next int // the number of the next message
}

func newPeer(name string) *peer {
	return &peer{
		name:   name,
		signal: make(chan rtc.ICECandidateInit, 16),
		opened: make(chan *rtc.DataChannel, 1),
		echoed: make(chan struct{}),
	}
}

func (p *peer) OnICECandidate(_ *rtc.PeerConnection, c *rtc.ICECandidate) {
	if c == nil {
		close(p.signal)
		return
	}
	fmt.Printf("%-5s has address %s:%d\n", p.name, c.Address, c.Port)
	p.signal <- c.ToJSON()
}

func (p *peer) OnConnectionStateChange(_ *rtc.PeerConnection, s rtc.PeerConnectionState) {
	fmt.Printf("%-5s is %v\n", p.name, s)
}

func (p *peer) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	p.opened <- dc
}

func (p *peer) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	if want := fmt.Sprintf("message %d", p.next); string(msg.Data) != want {
		log.Fatalf("%s got %q, want %q: a data channel loses and reorders nothing", p.name, msg.Data, want)
	}
	p.next++
	if p.name == "bob" {
		if err := dc.SendText(string(msg.Data)); err != nil {
			log.Print(err)
		}
	} else if p.next == messages {
		close(p.echoed)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	network, err := newNetwork(delay)
	if err != nil {
		return err
	}
	left, err := network.machine("192.0.2.1")
	if err != nil {
		return err
	}
	right, err := network.machine("192.0.2.2")
	if err != nil {
		return err
	}
	network.loseSome()
	if err := network.router.Start(); err != nil {
		return err
	}
	defer network.router.Stop()

	// From here on nothing is special but Runtime.
	alice, bob := newPeer("alice"), newPeer("bob")
	a, err := rtc.NewBuilder().Runtime(left).Handler(alice).Build(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := rtc.NewBuilder().Runtime(right).Handler(bob).Build(ctx)
	if err != nil {
		return err
	}
	defer b.Close()

	started := time.Now()
	if _, err := a.CreateDataChannel("echo", nil); err != nil {
		return err
	}
	if err := connect(a, b); err != nil {
		return err
	}
	go trickle(alice.signal, b)
	go trickle(bob.signal, a)

	var channel *rtc.DataChannel
	select {
	case channel = <-alice.opened:
	case <-ctx.Done():
		return errors.New("the channel did not open")
	}
	fmt.Printf("the channel is open after %v, with round trips of %v\n", time.Since(started).Round(time.Millisecond), 2*delay)

	for i := range messages {
		if err := channel.SendContext(ctx, []byte(fmt.Sprintf("message %d", i))); err != nil {
			return err
		}
	}
	select {
	case <-alice.echoed:
	case <-ctx.Done():
		return errors.New("not all messages came back")
	}
	fmt.Printf("%d messages went to and fro in order; the network lost %d of %d datagrams\n", messages, network.lost.Load(), network.sent.Load())

	a.Close()
	b.Close()
	<-a.Done()
	<-b.Done()
	return nil
}

// connect gives each side the other's description.
func connect(a, b *rtc.PeerConnection) error {
	offer, err := a.CreateOffer(nil)
	if err != nil {
		return err
	}
	if err := errors.Join(a.SetLocalDescription(offer), b.SetRemoteDescription(offer)); err != nil {
		return err
	}
	answer, err := b.CreateAnswer(nil)
	if err != nil {
		return err
	}
	return errors.Join(b.SetLocalDescription(answer), a.SetRemoteDescription(answer))
}

// trickle gives a side the other's candidates as they are found, and ends with them.
func trickle(candidates <-chan rtc.ICECandidateInit, to *rtc.PeerConnection) {
	for c := range candidates {
		if err := to.AddICECandidate(c); err != nil {
			log.Print(err)
		}
	}
}
