package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net"

	dtlselliptic "github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"
)

// pionStack has an API for each side.
type pionStack struct {
	api    [2]*webrtc.API
	config webrtc.Configuration
	detach bool
}

// newPion makes pion as it comes, confined to loopback.
func newPion() (stack, error) {
	var e webrtc.SettingEngine
	loopbackOnly(&e)
	api := webrtc.NewAPI(webrtc.WithSettingEngine(e))
	return pionStack{api: [2]*webrtc.API{api, api}}, nil
}

func loopbackOnly(e *webrtc.SettingEngine) {
	e.SetIncludeLoopbackCandidate(true)
	e.SetInterfaceFilter(func(name string) bool { return name == "lo" })
}

// newTunedPion makes pion with every setting that makes it faster. path is the network of each side; nil is loopback.
func newTunedPion(o settings, path *[2]transport.Net) (stack, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, err
	}
	s := pionStack{config: webrtc.Configuration{Certificates: []webrtc.Certificate{*certificate}}, detach: true}
	for side := range s.api {
		var e webrtc.SettingEngine
		e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
		e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		e.EnableSCTPZeroChecksum(true)
		e.EnableSctpSnap(true)
		e.DetachDataChannels()
		e.SetDTLSEllipticCurves(dtlselliptic.X25519)
		e.SetDTLSInsecureSkipHelloVerify(true)
		e.SetHostAcceptanceMinWait(0)
		e.SetSrflxAcceptanceMinWait(0)
		e.SetPrflxAcceptanceMinWait(0)
		e.SetRelayAcceptanceMinWait(0)
		e.SetSCTPMaxReceiveBufferSize(8 << 20)
		if path != nil {
			e.SetNet(path[side])
			e.SetReceiveMTU(1 << 16) // what it retransmits is larger than the default takes
		} else {
			loopbackOnly(&e)
			n, err := stdnet.NewNet()
			if err != nil {
				return nil, err
			}
			e.SetNet(bufferedNet{n})
		}
		// Without media no codecs and no interceptors: nothing but data.
		codecs, interceptors := new(webrtc.MediaEngine), new(interceptor.Registry)
		if o.media {
			if err := forMedia(codecs, interceptors); err != nil {
				return nil, err
			}
		}
		s.api[side] = webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(codecs), webrtc.WithInterceptorRegistry(interceptors))
	}
	return s, nil
}

// forMedia registers what pion registers by default, but for its counting of packets for statistics.
func forMedia(codecs *webrtc.MediaEngine, interceptors *interceptor.Registry) error {
	return errors.Join(
		codecs.RegisterDefaultCodecs(),
		webrtc.ConfigureNack(codecs, interceptors),
		webrtc.ConfigureRTCPReports(interceptors),
		webrtc.ConfigureSimulcastExtensionHeaders(codecs),
		webrtc.ConfigureTWCCSender(codecs, interceptors),
	)
}

// bufferedNet gives sockets 4 MiB of buffers: pion's receive window is larger than the system's default.
type bufferedNet struct{ transport.Net }

func (n bufferedNet) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, addr)
	if err != nil {
		return nil, err
	}
	return c, errors.Join(c.SetReadBuffer(4<<20), c.SetWriteBuffer(4<<20))
}

type pionPeer struct {
	pc     *webrtc.PeerConnection
	detach bool
	open   func(label string, c channel)
}

func (s pionStack) newPeer(which side) (peer, error) {
	pc, err := s.api[which].NewPeerConnection(s.config)
	if err != nil {
		return nil, err
	}
	p := &pionPeer{pc: pc, detach: s.detach}
	pc.OnDataChannel(p.watch)
	return p, nil
}

func (p *pionPeer) onOpen(f func(label string, c channel)) { p.open = f }

func (p *pionPeer) watch(dc *webrtc.DataChannel) {
	dc.OnOpen(func() {
		c := &pionChannel{dc: dc, room: make(chan struct{}, 1)}
		if p.detach {
			rw, err := dc.Detach()
			if err != nil {
				panic(err)
			}
			c.detached = rw
		}
		dc.SetBufferedAmountLowThreshold(bulkLow)
		dc.OnBufferedAmountLow(func() {
			select {
			case c.room <- struct{}{}:
			default:
			}
		})
		p.open(dc.Label(), c)
	})
}

func (p *pionPeer) createChannel(label string) error {
	dc, err := p.pc.CreateDataChannel(label, nil)
	if err == nil {
		p.watch(dc)
	}
	return err
}

func (p *pionPeer) setLocal(d webrtc.SessionDescription, err error) (string, error) {
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(d); err != nil {
		return "", err
	}
	<-gathered
	return p.pc.LocalDescription().SDP, nil
}

func (p *pionPeer) offer() (string, error) { return p.setLocal(p.pc.CreateOffer(nil)) }

func (p *pionPeer) answer(offer string) (string, error) {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	return p.setLocal(p.pc.CreateAnswer(nil))
}

func (p *pionPeer) accept(answer string) error {
	return p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

func (p *pionPeer) close() { p.pc.GracefulClose() }

func (p *pionPeer) send(t webrtc.TrackLocal) error {
	sender, err := p.pc.AddTrack(t)
	if err == nil {
		go func() { // ends when the connection does
			b := make([]byte, 1500)
			for { // pion asks for that: RTCP is handled where it is read
				if _, _, err := sender.Read(b); err != nil {
					return
				}
			}
		}()
	}
	return err
}

func (p *pionPeer) receive(k webrtc.RTPCodecType) error {
	_, err := p.pc.AddTransceiverFromKind(k, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	return err
}

// onRTP reads as pion does it with the least memory.
func (p *pionPeer) onRTP(f func(p *rtp.Packet)) {
	p.pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		b := make([]byte, 1500)
		var packet rtp.Packet
		for {
			n, _, err := t.Read(b)
			if err != nil {
				return
			}
			if packet.Unmarshal(b[:n]) == nil {
				f(&packet)
			}
		}
	})
}

type pionChannel struct {
	dc       *webrtc.DataChannel
	detached interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
	}
	room chan struct{}
}

func (c *pionChannel) send(b []byte) error {
	if c.detached == nil {
		return c.dc.Send(b)
	}
	_, err := c.detached.Write(b)
	return err
}

func (c *pionChannel) sendWait(b []byte) error {
	for c.dc.BufferedAmount() > bulkHigh {
		<-c.room
	}
	return c.send(b)
}

func (c *pionChannel) buffered() uint64 { return c.dc.BufferedAmount() }

func (c *pionChannel) onMessage(f func(b []byte)) {
	if c.detached == nil {
		c.dc.OnMessage(func(m webrtc.DataChannelMessage) { f(m.Data) })
		return
	}
	go func() { // ends when the channel does
		b := make([]byte, 256<<10)
		for {
			n, err := c.detached.Read(b)
			if err != nil {
				return
			}
			f(b[:n])
		}
	}()
}
