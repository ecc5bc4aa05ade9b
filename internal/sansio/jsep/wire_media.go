package jsep

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// Direction is W3C's RTCRtpTransceiverDirection, and the attribute of the same name.
type Direction uint8

// A direction is made of two bits. Stopped is W3C's, and is never written.
const (
	Inactive Direction = 0
	SendOnly Direction = 1
	RecvOnly Direction = 2
	SendRecv Direction = 3
	Stopped  Direction = 4
)

var directionNames = [...]string{"inactive", "sendonly", "recvonly", "sendrecv", "stopped"}

// String returns W3C's word.
func (d Direction) String() string { return directionNames[d] }

// Sends and Receives are the halves of a direction.
func (d Direction) Sends() bool    { return d&SendOnly != 0 }
func (d Direction) Receives() bool { return d&RecvOnly != 0 }

// Reversed is what the other side says of the same.
func (d Direction) Reversed() Direction {
	return d>>1&1 | d<<1&2
}

// Extension is an a=extmap line (RFC 8285).
type Extension struct {
	ID        uint8
	URI       string
	Direction Direction // who may use it; SendRecv when nothing is said
}

// Source is what a=ssrc and a=ssrc-group:FID tell of a source (RFC 5576).
type Source struct {
	SSRC, RTX uint32 // RTX: zero is none
	CNAME     string
}

// MSID is an a=msid line (RFC 8830): a track and one of the streams that it is in, or "-" for none.
type MSID struct{ Stream, Track string }

// RID is an a=rid line (RFC 8851).
type RID struct {
	ID   string
	Send bool
	// Paused: a=simulcast has it with a tilde (RFC 8853).
	Paused bool
}

// mediaAttributes describe RTP.
type mediaAttributes struct {
	kind       MediaKind
	direction  Direction
	codecs     []Codec // in order of preference
	extensions []Extension
	mixed      bool // one-byte and two-byte header extensions may be mixed (RFC 8285 section 6)
	mux        bool // a=rtcp-mux (RFC 5761)
	reduced    bool // a=rtcp-rsize (RFC 5506)
	msids      []MSID
	sources    []Source
	rids       []RID // those of a=simulcast, when there is one, in its order
	simulcast  bool
}

// Bounds of what one section may list.
const (
	maxExtensions = 256
	maxSources    = 64
	maxRIDs       = 32
)

// mediaReader reads the attributes of one section. Those about payload types that m= does not list are skipped.
type mediaReader struct {
	m      *mediaAttributes
	groups [][]uint32
	lists  map[bool][]RID // of a=simulcast, by Send
}

// readMedia fills media; the bad attribute is returned. Those of the session are defaults for some; inherited tells that one of them is bad.
func (s *section) readMedia(session, attributes []sdp.Attribute) (bad *sdp.Attribute, inherited bool) {
	kind := Audio
	switch s.kind {
	case "audio":
	case "video":
		kind = Video
	default:
		return nil, false
	}
	switch s.proto {
	// RFC 9429 section 5.1.2: all of these are accepted, and mean the first.
	case "UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP":
	default:
		return nil, false
	}
	m := &mediaAttributes{kind: kind, direction: SendRecv}
	s.media = m
	m.codecs = make([]Codec, 0, min(len(s.formats), 128))
	for _, f := range s.formats {
		if pt, err := strconv.ParseUint(f, 10, 7); err == nil && m.codec(uint8(pt)) == nil {
			m.codecs = append(m.codecs, wellKnown(uint8(pt)))
		}
	}
	r := mediaReader{m: m, lists: make(map[bool][]RID)}
	for i := range session {
		switch a := &session[i]; a.Key {
		case "sendrecv", "sendonly", "recvonly", "inactive", "extmap", "extmap-allow-mixed":
			if !r.read(a) {
				return a, true
			}
		}
	}
	for i := range attributes {
		if !r.read(&attributes[i]) {
			return &attributes[i], false
		}
	}
	r.finish()
	shareFeedback(m.codecs)
	return nil, false
}

// wellKnown is a format of RFC 3551 that needs no a=rtpmap, or one without a name yet.
func wellKnown(pt uint8) Codec {
	c := Codec{PayloadType: pt}
	switch pt {
	case 0:
		c.Name, c.ClockRate = "PCMU", 8000
	case 8:
		c.Name, c.ClockRate = "PCMA", 8000
	case 9:
		c.Name, c.ClockRate = "G722", 8000
	case 13:
		c.Name, c.ClockRate = "CN", 8000
	}
	return c
}

// codec is the format with that payload type, or nil.
func (m *mediaAttributes) codec(pt uint8) *Codec {
	i := slices.IndexFunc(m.codecs, func(c Codec) bool { return c.PayloadType == pt })
	if i < 0 {
		return nil
	}
	return &m.codecs[i]
}

// about is the format that an attribute begins with, or nil.
func (m *mediaAttributes) about(pt string) *Codec {
	n, err := strconv.ParseUint(pt, 10, 7)
	if err != nil {
		return nil
	}
	return m.codec(uint8(n))
}

func (r *mediaReader) read(a *sdp.Attribute) bool {
	m := r.m
	switch a.Key {
	case "sendrecv", "sendonly", "recvonly", "inactive":
		m.direction = Direction(slices.Index(directionNames[:], a.Key))
	case "rtcp-mux", "rtcp-mux-only":
		m.mux = true
	case "rtcp-rsize":
		m.reduced = true
	case "extmap-allow-mixed":
		m.mixed = true
	case "rtpmap":
		return r.readMap(a.Value)
	case "fmtp":
		pt, value, ok := strings.Cut(a.Value, " ")
		if c := m.about(pt); c != nil {
			c.Fmtp = strings.TrimSpace(value)
		}
		return ok
	case "rtcp-fb":
		return r.readFeedback(a.Value)
	case "extmap":
		return r.readExtension(a.Value)
	case "msid":
		stream, track, _ := strings.Cut(a.Value, " ")
		if stream == "" {
			return false
		}
		r.addMSID(MSID{stream, strings.TrimSpace(track)})
	case "ssrc":
		return r.readSource(a.Value)
	case "ssrc-group":
		return r.readGroup(a.Value)
	case "rid":
		return r.readRID(a.Value)
	case "simulcast":
		return r.readSimulcast(a.Value)
	}
	return true
}

func (r *mediaReader) addMSID(id MSID) {
	if len(r.m.msids) < maxSources && !slices.Contains(r.m.msids, id) {
		r.m.msids = append(r.m.msids, id)
	}
}

// readMap reads "96 VP8/90000" or "111 opus/48000/2" (RFC 8866 section 6.6).
func (r *mediaReader) readMap(value string) bool {
	pt, format, ok := strings.Cut(value, " ")
	f := strings.Split(strings.TrimSpace(format), "/")
	if !ok || len(f) < 2 || len(f) > 3 || f[0] == "" {
		return false
	}
	rate, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil {
		return false
	}
	channels := uint64(0)
	if len(f) == 3 {
		if channels, err = strconv.ParseUint(f[2], 10, 16); err != nil {
			return false
		}
	}
	if c := r.m.about(pt); c != nil {
		c.Name, c.ClockRate, c.Channels = f[0], uint32(rate), uint16(channels)
	}
	return true
}

// readFeedback reads "96 nack pli", or "* transport-cc" for all formats (RFC 4585 section 4.2).
func (r *mediaReader) readFeedback(value string) bool {
	f := strings.Fields(value)
	if len(f) < 2 {
		return false
	}
	fb := Feedback{Type: f[1], Parameter: strings.Join(f[2:], " ")}
	add := func(c *Codec) {
		if c.Feedback == nil {
			c.Feedback = make([]Feedback, 0, 6)
		}
		if len(c.Feedback) < 32 && !slices.Contains(c.Feedback, fb) {
			c.Feedback = append(c.Feedback, fb)
		}
	}
	if f[0] == "*" {
		for i := range r.m.codecs {
			add(&r.m.codecs[i])
		}
	} else if c := r.m.about(f[0]); c != nil {
		add(c)
	}
	return true
}

// shareFeedback has formats with the same feedback, as most of a section are, keep it once.
func shareFeedback(codecs []Codec) {
	for i := range codecs {
		c := &codecs[i]
		if k := slices.IndexFunc(codecs[:i], func(o Codec) bool { return slices.Equal(o.Feedback, c.Feedback) }); k >= 0 {
			c.Feedback = codecs[k].Feedback
		} else if c.Feedback != nil {
			c.Feedback = append(make([]Feedback, 0, len(c.Feedback)), c.Feedback...)
		}
	}
}

// readExtension reads "3 urn:…" or "3/sendonly urn:… attributes" (RFC 8285 section 8).
func (r *mediaReader) readExtension(value string) bool {
	f := strings.Fields(value)
	if len(f) < 2 {
		return false
	}
	number, direction, has := strings.Cut(f[0], "/")
	e := Extension{URI: f[1], Direction: SendRecv}
	if has {
		i := slices.Index(directionNames[:4], direction)
		if i < 0 {
			return false
		}
		e.Direction = Direction(i)
	}
	id, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return false
	}
	// RFC 8285 section 4.3: identifiers are 1 to 255; from 4096 on an offer has alternatives, which we do not take.
	if id < 1 || id > 255 {
		return id >= 4096
	}
	e.ID = uint8(id)
	taken := slices.ContainsFunc(r.m.extensions, func(o Extension) bool { return o.ID == e.ID || o.URI == e.URI })
	if !taken && len(r.m.extensions) < maxExtensions {
		r.m.extensions = append(r.m.extensions, e)
	}
	return true
}

func (r *mediaReader) source(ssrc uint32) *Source {
	m := r.m
	i := slices.IndexFunc(m.sources, func(s Source) bool { return s.SSRC == ssrc })
	if i < 0 {
		if len(m.sources) == maxSources {
			return nil
		}
		m.sources = append(m.sources, Source{SSRC: ssrc})
		i = len(m.sources) - 1
	}
	return &m.sources[i]
}

// readSource reads "1234 cname:…" (RFC 5576 section 4.1), and the msid of descriptions that have none of their own.
func (r *mediaReader) readSource(value string) bool {
	number, attribute, ok := strings.Cut(value, " ")
	ssrc, err := strconv.ParseUint(number, 10, 32)
	if !ok || err != nil {
		return false
	}
	s := r.source(uint32(ssrc))
	if s == nil {
		return true
	}
	switch key, v, _ := strings.Cut(strings.TrimSpace(attribute), ":"); key {
	case "cname":
		s.CNAME = v
	case "msid":
		stream, track, _ := strings.Cut(v, " ")
		if stream != "" {
			r.addMSID(MSID{stream, track})
		}
	}
	return true
}

// readGroup reads "FID 1234 5678" (RFC 5576 section 4.2).
func (r *mediaReader) readGroup(value string) bool {
	f := strings.Fields(value)
	if len(f) < 2 {
		return false
	}
	var group []uint32
	for _, n := range f[1:] {
		ssrc, err := strconv.ParseUint(n, 10, 32)
		if err != nil {
			return false
		}
		group = append(group, uint32(ssrc))
	}
	// RFC 4588 section 8.3 has the retransmissions second. Groups for forward error correction and simulcast without RIDs are not used.
	if f[0] == "FID" && len(group) == 2 && len(r.groups) < maxSources {
		r.groups = append(r.groups, group)
	}
	return true
}

// readRID reads "hi send …" (RFC 8851 section 10). Restrictions are for whoever encodes.
func (r *mediaReader) readRID(value string) bool {
	f := strings.Fields(value)
	if len(f) < 2 || !validRID(f[0]) || f[1] != "send" && f[1] != "recv" {
		return false
	}
	// An identifier is used once in a section. pion/webrtc, asked to receive what it sends, says both of it, and means that it sends.
	if id := (RID{ID: f[0], Send: f[1] == "send"}); len(r.m.rids) < maxRIDs && !slices.Contains(r.m.rids, id) {
		r.m.rids = append(r.m.rids, id)
	}
	return true
}

// validRID: RFC 8851 section 10: letters, digits, '-' and '_'; in the header extension it has at most 255 bytes, and we take 16.
func validRID(id string) bool {
	if id == "" || len(id) > 16 {
		return false
	}
	return !strings.ContainsFunc(id, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	})
}

// readSimulcast reads "send hi;~mid,alternative;lo recv …" (RFC 8853 section 5.1). Of alternatives the first counts.
func (r *mediaReader) readSimulcast(value string) bool {
	f := strings.Fields(value)
	if len(f) == 0 || len(f)%2 != 0 || len(f) > 4 {
		return false
	}
	for i := 0; i < len(f); i += 2 {
		if f[i] != "send" && f[i] != "recv" {
			return false
		}
		send := f[i] == "send"
		if _, twice := r.lists[send]; twice {
			return false
		}
		list := []RID{}
		for stream := range strings.SplitSeq(f[i+1], ";") {
			id, _, _ := strings.Cut(stream, ",")
			id, paused := strings.CutPrefix(id, "~")
			if !validRID(id) {
				return false
			}
			list = append(list, RID{id, send, paused})
		}
		r.lists[send] = list
	}
	r.m.simulcast = true
	return true
}

// finish puts together what several attributes tell.
func (r *mediaReader) finish() {
	m := r.m
	m.codecs = slices.DeleteFunc(m.codecs, func(c Codec) bool { return c.Name == "" || c.ClockRate == 0 })
	for _, g := range r.groups {
		if s := r.source(g[0]); s != nil && g[1] != g[0] {
			s.RTX = g[1]
		}
	}
	m.sources = slices.DeleteFunc(m.sources, func(s Source) bool {
		return slices.ContainsFunc(m.sources, func(o Source) bool { return o.RTX == s.SSRC && s.RTX == 0 })
	})
	if !m.simulcast {
		m.rids = nil
		return
	}
	// RFC 8853 section 5.1: a RID that no a=rid describes does not count.
	var rids []RID
	for _, send := range []bool{true, false} {
		for _, id := range r.lists[send] {
			if slices.Contains(m.rids, RID{ID: id.ID, Send: send}) && !slices.ContainsFunc(rids, func(o RID) bool { return o.ID == id.ID }) {
				rids = append(rids, id)
			}
		}
	}
	m.rids = rids
	m.simulcast = len(rids) > 0
}
