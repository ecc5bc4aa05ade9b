package peer

import (
	"slices"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/media"
)

// rtpMTU is what a packet may have before protection: with it, it is as long as the longest datagram that an IPv4 path of 1500 bytes takes. Who
// makes packets chooses their size, as with any RTP; those of browsers have some 1200 bytes.
const rtpMTU = 1472 - media.MaxOverhead

// mediaState is the media of a connection. Only a connection that has negotiated a media section has one.
type mediaState struct {
	machine *media.Machine
	keyed   bool
	legs    []*leg                   // by rising transceiver
	tracks  map[StreamID]*MediaEvent // what EventTrack told last; events refer to it, so it is never changed
	path    route                    // that band is about
	band    bandwidth
}

// leg is what one transceiver sends and receives.
type leg struct {
	section *MediaSection // as it was told last; never changed
	senders []sender      // one for each of section.Encodings, from the first time that they send
}

// sender is an encoding's.
type sender struct {
	id   media.SenderID
	ssrc uint32
}

func (m *mediaState) leg(id TransceiverID) *leg {
	i, ok := slices.BinarySearchFunc(m.legs, id, func(l *leg, id TransceiverID) int { return int(int64(l.section.Transceiver) - int64(id)) })
	if !ok {
		return nil
	}
	return m.legs[i]
}

func (m *mediaState) legOf(mid string) *leg {
	for _, l := range m.legs {
		if l.section.Mid == mid {
			return l
		}
	}
	return nil
}

// applyMedia does what a description asks of media.
func (c *Core) applyMedia(now time.Time, change jsep.Change) {
	for _, id := range change.Created {
		c.tellTransceiver(id, TransceiverCreated)
	}
	if change.Media != nil {
		c.applySections(now, change.Media)
	}
	for _, id := range change.Stopped {
		c.tellTransceiver(id, TransceiverStopped)
	}
	for _, id := range change.Removed {
		c.tellTransceiver(id, TransceiverRemoved)
	}
}

func (c *Core) tellTransceiver(id TransceiverID, change TransceiverChange) {
	c.events.push(Event{Kind: EventTransceiver, Media: &MediaEvent{Transceiver: id, Change: change}})
}

// applySections tells the machine what is sent and received now. sections are all there are, and are kept.
func (c *Core) applySections(now time.Time, sections []MediaSection) {
	if c.media == nil {
		if len(sections) == 0 {
			return
		}
		c.media = c.newMedia()
	}
	m := c.media
	before := m.legs
	m.legs = make([]*leg, 0, len(sections))
	received := make([]media.Section, 0, len(sections))
	for i := range sections {
		s := &sections[i]
		if t, _ := c.session.Transceiver(s.Transceiver); t.Stopping {
			continue // W3C's stop ends both directions at once, though the negotiation comes later
		}
		l := &leg{section: s}
		if i := slices.IndexFunc(before, func(o *leg) bool { return o.section.Transceiver == s.Transceiver }); i >= 0 {
			l.senders = before[i].senders
		}
		m.legs = append(m.legs, l)
		received = append(received, sectionOf(s))
	}
	slices.SortFunc(m.legs, func(a, b *leg) int { return int(int64(a.section.Transceiver) - int64(b.section.Transceiver)) })
	m.machine.SetSections(received)
	c.pumpMedia(now)
	for _, old := range before {
		if m.leg(old.section.Transceiver) == nil {
			m.dropSenders(now, old.senders)
			c.tellSender(old.section, nil)
		}
	}
	for _, l := range m.legs {
		m.updateSenders(now, l)
		var told *MediaSection
		if i := slices.IndexFunc(before, func(o *leg) bool { return o.section.Transceiver == l.section.Transceiver }); i >= 0 {
			told = before[i].section
		}
		c.tellSender(told, l.section)
	}
	c.startMedia()
}

func (c *Core) newMedia() *mediaState {
	cfg := &c.cfg.Media
	machine, err := media.New(media.Config{
		Rand: c.cfg.Rand, CNAME: cfg.CNAME, MTU: rtpMTU, HistoryTime: cfg.HistoryTime, HistoryPackets: cfg.HistoryPackets,
		MaxStreams: cfg.MaxStreams, ReportInterval: cfg.ReportInterval, KeepTransportCC: cfg.KeepTransportCC,
	})
	if err != nil {
		panic("BUG: peer: " + err.Error()) // the source of randomness has failed, as it must not
	}
	m := &mediaState{machine: machine, tracks: make(map[StreamID]*MediaEvent)}
	m.band.init(cfg)
	m.path, _ = c.route()
	if c.ice != nil {
		if rtt := c.ice.RTT(); rtt > 0 {
			machine.SetRTT(rtt)
		}
	}
	return m
}

// startMedia gives the machine its keys, when it is there and DTLS has them: the peer may be heard before there is a route to it, when the response
// that would give it was lost.
//
// RFC 5764 section 4.2: the exporter's bytes are "client_write_SRTP_master_key", "server_write_SRTP_master_key" and the two salts in that order.
func (c *Core) startMedia() {
	m := c.media
	if m == nil || m.keyed || c.dtls == nil || c.dtls.State() != dtls.StateConnected {
		return
	}
	profile, ok := c.dtls.SRTPProfile()
	if !ok {
		return // the peer has no SRTP: nothing can be sent or received
	}
	key, salt, ok := media.KeyLength(uint16(profile))
	if !ok {
		panic("BUG: peer: an SRTP profile was negotiated that media does not know")
	}
	b, err := c.dtls.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*(key+salt))
	if err != nil {
		panic("BUG: peer: " + err.Error())
	}
	local, remote := 0, 1
	if c.transport.role != jsep.RoleClient {
		local, remote = 1, 0
	}
	keys, salts := b[:2*key], b[2*key:]
	err = m.machine.SetKeys(media.Keys{
		Profile:   uint16(profile),
		LocalKey:  keys[local*key:][:key],
		LocalSalt: salts[local*salt:][:salt],
		RemoteKey: keys[remote*key:][:key], RemoteSalt: salts[remote*salt:][:salt],
	})
	if err != nil {
		panic("BUG: peer: " + err.Error())
	}
	m.keyed = true
}

// endMedia ends all tracks and tells that nothing is sent any more.
func (c *Core) endMedia(now time.Time) {
	m := c.media
	m.machine.Close(now)
	c.pumpMedia(now)
	for _, l := range m.legs {
		c.tellSender(l.section, nil)
	}
	m.legs = nil
}
