package ice

import (
	"net/netip"
	"time"
)

// Agent is one ICE agent with one component.
type Agent struct {
	cfg         Config
	controlling bool
	state       State
}

// New returns an agent that has nothing to do yet.
func New(cfg Config) *Agent {
	cfg.setDefaults()
	return &Agent{cfg: cfg, controlling: cfg.Controlling}
}

func (a *Agent) LocalCredentials() Credentials                             { return a.cfg.Local }
func (a *Agent) SetControlling(now time.Time, controlling bool)            {}
func (a *Agent) SetRemote(now time.Time, c Credentials, lite bool)         {}
func (a *Agent) AddLocalCandidate(now time.Time, c Candidate) bool         { return true }
func (a *Agent) RemoveLocalCandidate(now time.Time, base netip.AddrPort)   {}
func (a *Agent) EndOfLocalCandidates(now time.Time)                        {}
func (a *Agent) AddRemoteCandidate(now time.Time, c Candidate) error       { return nil }
func (a *Agent) EndOfRemoteCandidates(now time.Time)                       {}
func (a *Agent) Restart(now time.Time, local Credentials)                  {}
func (a *Agent) Rollback(now time.Time)                                    {}
func (a *Agent) HandlePacket(now time.Time, l, r netip.AddrPort, b []byte) {}
func (a *Agent) HandleData(now time.Time, l, r netip.AddrPort)             {}
func (a *Agent) HandleTimeout(now time.Time)                               {}
func (a *Agent) PollEvent() (Event, bool)                                  { return Event{}, false }
func (a *Agent) PollTimeout() time.Time                                    { return time.Time{} }
func (a *Agent) Accepts(local, remote netip.AddrPort) bool                 { return false }
func (a *Agent) Route() (local, remote netip.AddrPort, ok bool)            { return }
func (a *Agent) RTT() (time.Duration, bool)                                { return 0, false }
func (a *Agent) State() State                                              { return a.state }
func (a *Agent) Close(now time.Time)                                       {}
func (a *Agent) Stats() Stats                                              { return Stats{} }
func (a *Agent) PollWrite(now time.Time, dst []byte) (b []byte, local, remote netip.AddrPort, ok bool) {
	return dst, local, remote, false
}
