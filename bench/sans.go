package main

import (
	"context"
	"net/netip"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/loop"
	"github.com/sansrtc/rtc/runtime/mux"
)

// sansStack is this module's, with a Builder for each side.
type sansStack [2]rtc.Builder

// newSans makes it as it comes, but for what its rivals have too: only loopback, and one certificate for all connections as in tuned pion.
func newSans(name string, o settings) (stack, error) {
	base, err := sansBase()
	if err != nil {
		return nil, err
	}
	base = base.SCTP(rtc.SCTPOptions{MaxPacketSize: o.datagram})
	own := base.ListenAddrs("127.0.0.1:0")
	switch name {
	case "sansrtc-loop":
		own = own.Runtime(loop.New(loop.Config{DisableGSO: o.single, DisableGRO: o.single}))
		return sansStack{own, own}, nil
	case "sansrtc-mux":
		// A server behind one port, and clients that have ports of their own.
		port, err := mux.New(mux.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		if err != nil {
			return nil, err
		}
		return sansStack{own.Runtime(loop.New(loop.Config{})), base.Runtime(port)}, nil
	}
	return sansStack{own, own}, nil
}

func sansBase() (rtc.Builder, error) {
	certificate, err := rtc.GenerateCertificate()
	if err != nil {
		return rtc.Builder{}, err
	}
	return rtc.NewBuilder().Certificates(*certificate), nil
}

type sansPeer struct {
	rtc.BaseHandler
	pc   *rtc.PeerConnection
	open func(label string, c channel)

	packet func(p *rtp.Packet)

	channels []*sansChannel // that are open; the handler's own, whose methods come one at a time
}

func (s sansStack) newPeer(which side) (peer, error) {
	p := new(sansPeer)
	pc, err := s[which].Handler(p).Build(context.Background())
	p.pc = pc
	return p, err
}

func (p *sansPeer) onOpen(f func(label string, c channel)) { p.open = f }

func (p *sansPeer) channel(dc *rtc.DataChannel) *sansChannel {
	for _, c := range p.channels {
		if c.dc == dc {
			return c
		}
	}
	return nil
}

func (p *sansPeer) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	c := &sansChannel{dc: dc, room: make(chan struct{}, 1)}
	dc.SetBufferedAmountLowThreshold(bulkLow)
	p.channels = append(p.channels, c)
	p.open(dc.Label(), c)
}

func (p *sansPeer) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	if f := p.channel(dc).message.Load(); f != nil {
		(*f)(msg.Data)
	}
}

func (p *sansPeer) OnDataChannelBufferedAmountLow(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	select {
	case p.channel(dc).room <- struct{}{}:
	default:
	}
}

func (p *sansPeer) createChannel(label string) error {
	_, err := p.pc.CreateDataChannel(label, nil)
	return err
}

// offer applies the implicit description, which is an offer or an answer, as is due.
func (p *sansPeer) offer() (string, error) {
	if err := p.pc.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		return "", err
	}
	return p.pc.LocalDescription().SDP, nil // has the host candidates
}

func (p *sansPeer) answer(offer string) (string, error) {
	if err := p.pc.SetRemoteDescription(rtc.SessionDescription{Type: rtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	return p.offer()
}

func (p *sansPeer) accept(answer string) error {
	return p.pc.SetRemoteDescription(rtc.SessionDescription{Type: rtc.SDPTypeAnswer, SDP: answer})
}

func (p *sansPeer) close() {
	p.pc.Close()
	<-p.pc.Done()
}

type sansChannel struct {
	dc      *rtc.DataChannel
	message atomic.Pointer[func(b []byte)]
	room    chan struct{}
}

func (c *sansChannel) send(b []byte) error { return c.dc.Send(b) }

func (c *sansChannel) sendWait(b []byte) error {
	for c.dc.BufferedAmount() > bulkHigh {
		<-c.room
	}
	return c.dc.Send(b)
}

func (c *sansChannel) buffered() uint64 { return c.dc.BufferedAmount() }

func (c *sansChannel) onMessage(f func(b []byte)) { c.message.Store(&f) }

func (p *sansPeer) send(t webrtc.TrackLocal) error {
	_, err := p.pc.AddTrack(t)
	return err
}

func (p *sansPeer) receive(k webrtc.RTPCodecType) error {
	_, err := p.pc.AddTransceiverFromKind(k, rtc.RTPTransceiverInit{Direction: rtc.RTPTransceiverDirectionRecvonly})
	return err
}

func (p *sansPeer) onRTP(f func(p *rtp.Packet)) { p.packet = f }

func (p *sansPeer) OnRTP(_ *rtc.PeerConnection, _ *rtc.TrackRemote, packet *rtp.Packet) {
	if p.packet != nil {
		p.packet(packet)
	}
}
