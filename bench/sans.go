package main

import (
	"context"
	"sync/atomic"

	"github.com/sansrtc/rtc"
)

type sansStack struct{ base rtc.Builder }

func newSans() (stack, error) {
	// A certificate for all, as the tuned rival has it; only loopback, as both rivals.
	certificate, err := rtc.GenerateCertificate()
	if err != nil {
		return nil, err
	}
	return sansStack{rtc.NewBuilder().Certificates(*certificate).ListenAddrs("127.0.0.1:0")}, nil
}

type sansPeer struct {
	rtc.BaseHandler
	pc   *rtc.PeerConnection
	open func(c channel)

	channels []*sansChannel // that are open; the handler's own, whose methods come one at a time
}

func (s sansStack) newPeer() (peer, error) {
	p := new(sansPeer)
	pc, err := s.base.Handler(p).Build(context.Background())
	p.pc = pc
	return p, err
}

func (p *sansPeer) onOpen(f func(c channel)) { p.open = f }

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
	p.open(c)
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

func (p *sansPeer) offer() (string, error) {
	if err := p.pc.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		return "", err
	}
	<-p.pc.GatheringComplete()
	return p.pc.LocalDescription().SDP, nil
}

func (p *sansPeer) answer(offer string) (string, error) {
	if err := p.pc.SetRemoteDescription(rtc.SessionDescription{Type: rtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	return p.offer() // the implicit description: an answer
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

func (c *sansChannel) onMessage(f func(b []byte)) { c.message.Store(&f) }
