package peer

import (
	"errors"
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
)

// CreateOffer makes an offer for what is wanted now.
func (c *Core) CreateOffer(iceRestart bool) (Description, error) {
	return c.session.CreateOffer(jsep.OfferOptions{ICERestart: iceRestart})
}

// CreateAnswer makes the answer to the remote offer.
func (c *Core) CreateAnswer() (Description, error) { return c.session.CreateAnswer() }

// SetLocal applies a local description; the zero Description asks for the implicit one.
func (c *Core) SetLocal(now time.Time, d Description) error {
	change, err := c.session.SetLocal(d)
	if err != nil {
		return err
	}
	return c.apply(now, change)
}

// SetRemote applies a remote description.
func (c *Core) SetRemote(now time.Time, d Description) error {
	change, err := c.session.SetRemote(d)
	if err != nil {
		return err
	}
	return c.apply(now, change)
}

// RestartICE is W3C's restartIce.
func (c *Core) RestartICE() {
	c.session.RestartICE()
	c.updateNegotiation()
}

// SignalingState is W3C's signalingState.
func (c *Core) SignalingState() SignalingState { return c.session.SignalingState() }

// Descriptions are W3C's six attributes, each with the candidates known so far.
type Descriptions interface {
	Local() (Description, bool)
	CurrentLocal() (Description, bool)
	PendingLocal() (Description, bool)
	Remote() (Description, bool)
	CurrentRemote() (Description, bool)
	PendingRemote() (Description, bool)
}

// Descriptions gives access to the session's descriptions.
func (c *Core) Descriptions() Descriptions { return c.session }

// CanTrickle is W3C's canTrickleIceCandidates.
func (c *Core) CanTrickle() (value, known bool) { return c.session.CanTrickle() }

// GatheringState is W3C's iceGatheringState.
func (c *Core) GatheringState() GatheringState { return c.gathering }

// ConfirmNegotiation is asked when EventNegotiationNeeded is about to be told: W3C decides at that moment.
// https://w3c.github.io/webrtc-pc/#dfn-update-the-negotiation-needed-flag
func (c *Core) ConfirmNegotiation() bool {
	if c.closed || c.session.SignalingState() != jsep.Stable || !c.session.NegotiationNeeded() {
		c.negotiation = false
		return false
	}
	return true
}

func (c *Core) updateNegotiation() {
	if c.closed || c.session.SignalingState() != jsep.Stable {
		return
	}
	if !c.session.NegotiationNeeded() {
		c.negotiation = false
		return
	}
	if !c.negotiation {
		c.negotiation = true
		c.events.push(Event{Kind: EventNegotiationNeeded})
	}
}

// apply does what a description that was just applied asks of the transport.
func (c *Core) apply(now time.Time, change jsep.Change) error {
	for _, s := range change.To {
		c.events.push(Event{Kind: EventSignalingState, State: uint8(s)})
	}
	if change.RolledBack {
		c.rollback(now, change.Transport)
	}
	if change.Transport != nil {
		c.applyTransport(now, change)
	}
	if change.DataRejected {
		c.rejectData(now)
	}
	c.applyMedia(now, change)
	if c.session.SignalingState() == jsep.Stable {
		// "If connection.[[SignalingState]] is now "stable" […]: Clear the negotiation-needed flag and update the negotiation-needed flag."
		c.negotiation = false
		c.updateNegotiation()
	}
	c.pump(now)
	if c.dtls != nil {
		c.takeData(now) // what DTLS has held until the fingerprint was known
	}
	if c.burst {
		c.EndBurst(now)
	}
	if c.sctp != nil || !c.keepsEarly() {
		c.early = nil
	}
	return nil
}

// rejectData closes the channels that the peer does not want. Channels that are made later ask for another negotiation, unless there was an
// association already: that one is not made twice.
func (c *Core) rejectData(now time.Time) {
	c.needData = false
	if c.sctp != nil {
		c.channels.HandleClosed(now, errDataRejected)
		return
	}
	c.transport.data = false
	c.channels.HandleRejected(now, errDataRejected)
}

var errDataRejected = errors.New("peer: the remote description rejects data channels")

// rollback takes back what a pending description has done. An agent that never had a peer is dropped with its candidates; one that is in use
// forgets the restart.
func (c *Core) rollback(now time.Time, t *jsep.Transport) {
	if c.ice == nil {
		return
	}
	if c.iceInUse() {
		c.ice.Rollback(now)
		return
	}
	if t == nil || t.LocalUfrag != c.ice.LocalCredentials().Ufrag {
		c.ice = nil
		c.dtls, c.transport.early = nil, false // an early ClientHello was for the offer that is gone
		c.gather = false
		c.setGathering(GatheringNew)
	}
}

// iceInUse tells whether the agent was ever told of its peer.
func (c *Core) iceInUse() bool { return c.transport.remote != ice.Credentials{} }

func (c *Core) applyTransport(now time.Time, change jsep.Change) {
	t := change.Transport
	tr := &c.transport
	tr.known, tr.mid, tr.mLineIndex = true, t.Mid, t.MLineIndex

	// Our credentials change the agent when they are applied by a local description, not while a remote offer waits for its answer.
	if local := (ice.Credentials{Ufrag: t.LocalUfrag, Pwd: t.LocalPwd}); change.Local && local.Ufrag != "" {
		switch {
		case c.ice == nil:
			c.ice = ice.New(ice.Config{
				Rand:                c.cfg.Rand,
				Controlling:         t.ICEControlling,
				Local:               local,
				Embedding:           !c.cfg.DisableSPED,
				DisconnectedTimeout: c.cfg.DisconnectedTimeout,
				FailedTimeout:       c.cfg.FailedTimeout,
				ConsentInterval:     c.cfg.ConsentInterval,
				MaxRemoteCandidates: c.cfg.MaxRemoteCandidates,
			})
			c.askToGather()
		case local != c.ice.LocalCredentials() && !change.RolledBack:
			c.ice.Restart(now, local)
			c.askToGather()
		}
	}
	if c.ice == nil || !t.Answered {
		return
	}
	c.ice.SetControlling(now, t.ICEControlling)
	if remote := (ice.Credentials{Ufrag: t.RemoteUfrag, Pwd: t.RemotePwd}); remote != tr.remote {
		tr.remote, tr.remoteEnded = remote, false
		c.ice.AgreeEmbedding(t.SPED)
		c.ice.SetRemote(now, remote, t.RemoteLite)
	}
	for _, line := range t.RemoteCandidates {
		c.addRemoteCandidate(now, line)
	}
	if t.RemoteEndOfCandidates {
		c.endOfRemoteCandidates(now)
	}
	c.applyData(now, t)
	c.applyRole(now, t)
}

func (c *Core) applyData(now time.Time, t *jsep.Transport) {
	if !t.HasData {
		return
	}
	if !c.transport.data {
		// What holds is what was agreed on first: from then on each end may have started the association.
		c.transport.localInit, c.transport.remoteInit = t.LocalSCTPInit, t.RemoteSCTPInit
	}
	c.transport.data, c.transport.sctpPort = true, t.RemoteSCTPPort
	c.transport.maxMessage = t.RemoteMaxMessageSize
	c.channels.SetRemoteMaxMessageSize(t.RemoteMaxMessageSize)
	c.startSCTP(now)
}

// applyRole makes the DTLS connection, or confirms the one that the peer's early ClientHello has made.
func (c *Core) applyRole(now time.Time, t *jsep.Transport) {
	tr := &c.transport
	if t.DTLSRole == jsep.RoleUnknown {
		return
	}
	if tr.role == jsep.RoleUnknown {
		tr.role = t.DTLSRole
		if c.dtls == nil || tr.early && t.DTLSRole == jsep.RoleClient {
			if err := c.newDTLS(now, t.DTLSRole == jsep.RoleClient); err != nil {
				panic("BUG: peer: " + err.Error())
			}
		}
	}
	var fingerprints []dtls.Fingerprint
	for _, f := range t.RemoteFingerprints {
		// A hash that is not known cannot match; the others may.
		if fp, err := dtls.ParseFingerprint(f.Algorithm, f.Value); err == nil {
			fingerprints = append(fingerprints, fp)
		}
	}
	c.dtls.SetFingerprints(fingerprints)
	c.startDTLS(now)
}

func (c *Core) askToGather() {
	c.gather = true
	c.setGathering(Gathering)
}

// TakeGather tells once, for each ICE generation, that the owner is to call AddLocalCandidate for each address and then EndOfLocalCandidates.
func (c *Core) TakeGather() bool {
	g := c.gather
	c.gather = false
	return g
}

// LocalUfrag is the username fragment that the peer's checks of the current ICE generation are addressed to; "" before the first one.
func (c *Core) LocalUfrag() string {
	if c.ice == nil {
		return ""
	}
	return c.ice.LocalCredentials().Ufrag
}

// AddLocalCandidate adds a host candidate. preference is RFC 8445's local preference: the larger, the better.
func (c *Core) AddLocalCandidate(now time.Time, addr netip.AddrPort, preference uint16) {
	if c.ice == nil || c.closed {
		return
	}
	ufrag := c.ice.LocalCredentials().Ufrag
	cand := ice.HostCandidate(addr, ufrag, preference)
	if !c.ice.AddLocalCandidate(now, cand) {
		return
	}
	c.session.AddLocalCandidate(ufrag, cand.String())
	c.events.push(Event{Kind: EventCandidate, Candidate: &LocalCandidate{
		Candidate: cand, Mid: c.transport.mid, MLineIndex: c.transport.mLineIndex,
	}})
	c.pump(now)
}

// EndOfLocalCandidates ends the gathering of this generation.
func (c *Core) EndOfLocalCandidates(now time.Time) {
	if c.ice == nil || c.closed || c.gathering != Gathering {
		return
	}
	c.ice.EndOfLocalCandidates(now)
	c.session.EndOfLocalCandidates(c.ice.LocalCredentials().Ufrag)
	c.setGathering(GatheringComplete)
	c.events.push(Event{Kind: EventCandidate})
	c.pump(now)
}

// ReportUnusedServer tells that url is configured and nothing is gathered from it.
func (c *Core) ReportUnusedServer(url string) {
	if !c.closed {
		c.events.push(Event{Kind: EventServerUnused, Server: url})
	}
}

// RemoveLocalCandidate tells that nothing can be sent from addr any more.
func (c *Core) RemoveLocalCandidate(now time.Time, addr netip.AddrPort) {
	if c.ice == nil || c.closed {
		return
	}
	c.ice.RemoveLocalCandidate(now, addr)
	c.pump(now)
}

// RemoveLocalPort does the same for all addresses of one port.
func (c *Core) RemoveLocalPort(now time.Time, port uint16) {
	if c.ice == nil || c.closed {
		return
	}
	for _, cand := range c.ice.Stats().Local {
		if cand.Base.Port() == port {
			c.ice.RemoveLocalCandidate(now, cand.Base)
		}
	}
	c.pump(now)
}

// AddRemoteCandidate is W3C's addIceCandidate.
func (c *Core) AddRemoteCandidate(now time.Time, r RemoteCandidate) error {
	cand, err := c.session.AddRemoteCandidate(r)
	if err != nil {
		return err
	}
	// Candidates of a description that is not answered yet stay in it, and are taken from there when it is.
	if cand.Ignored || c.ice == nil || !c.iceInUse() || cand.Ufrag != "" && cand.Ufrag != c.transport.remote.Ufrag {
		return nil
	}
	if cand.End {
		c.endOfRemoteCandidates(now)
	} else {
		c.addRemoteCandidate(now, cand.Line)
	}
	c.pump(now)
	return nil
}

// addRemoteCandidate drops what the agent cannot use, as W3C asks: only a candidate that is malformed is an error, and jsep has seen to that.
func (c *Core) addRemoteCandidate(now time.Time, line string) {
	cand, err := ice.ParseCandidate(line)
	if err == nil {
		err = c.ice.AddRemoteCandidate(now, cand)
	}
	if err != nil {
		c.stats.IgnoredCandidates++
	}
}

func (c *Core) endOfRemoteCandidates(now time.Time) {
	if !c.transport.remoteEnded {
		c.transport.remoteEnded = true
		c.ice.EndOfRemoteCandidates(now)
	}
}

// HasLocalDescription tells whether a local description was ever applied.
func (c *Core) HasLocalDescription() bool {
	_, ok := c.session.Local()
	return ok
}
