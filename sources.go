package rtc

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// RTPContributingSource is W3C's RTCRtpContributingSource and RTCRtpSynchronizationSource: somebody who was heard within the last ten seconds.
type RTPContributingSource struct {
	Source       SSRC
	Timestamp    time.Time // when the application was given a packet of it last
	RTPTimestamp uint32    // of that packet
	// AudioLevel is between 0, which is silence, and 1, as loud as can be; negative when the packet did not tell it (RFC 6464; RFC 6465 for those
	// that a mixer names).
	AudioLevel float64
}

// heard are the sources of what a receiver has given to the application. It is guarded by loop.mu.
type heard struct {
	synchronization, contributing []RTPContributingSource
	header                        rtp.Header // kept so that packets cost no memory
}

const (
	hearing        = 10 * time.Second // W3C: "in the last 10 seconds"
	maxHeard       = 64               // of each kind; the oldest gives way
	silentLevel    = 127              // RFC 6464 section 3: "digital silence"
	fixedRTPHeader = 12
)

// audioLevels are the identifiers of the header extensions with audio levels: of the source, and of those that a mixer names. Zero: none.
type audioLevels struct{ own, mixed uint8 }

func audioLevelsOf(s *peer.MediaSection) (l audioLevels) {
	for _, x := range s.Extensions {
		switch x.URI {
		case audioLevelURI:
			l.own = x.ID
		case mixedLevelURI:
			l.mixed = x.ID
		}
	}
	return l
}

// record takes note of a packet that is given to the application.
func (h *heard) record(now time.Time, b []byte, levels audioLevels) {
	s := RTPContributingSource{
		Source: SSRC(binary.BigEndian.Uint32(b[8:])), Timestamp: now, RTPTimestamp: binary.BigEndian.Uint32(b[4:]), AudioLevel: -1,
	}
	var mixed []byte // a level for each source, in their order
	if levels != (audioLevels{}) {
		if _, err := h.header.Unmarshal(b); err == nil {
			if x := h.extension(levels.own); len(x) > 0 {
				s.AudioLevel = audioLevel(x[0] & 0x7f)
			}
			mixed = h.extension(levels.mixed)
		}
	}
	put(&h.synchronization, s)
	for i := range int(b[0] & 0xf) {
		s.Source, s.AudioLevel = SSRC(binary.BigEndian.Uint32(b[fixedRTPHeader+4*i:])), -1
		if i < len(mixed) {
			s.AudioLevel = audioLevel(mixed[i] & 0x7f)
		}
		put(&h.contributing, s)
	}
}

func (h *heard) extension(id uint8) []byte {
	if id == 0 {
		return nil // it was not negotiated
	}
	return h.header.GetExtension(id)
}

// audioLevel makes the level of RFC 6464, in -dBov, linear, as W3C wants it.
func audioLevel(level uint8) float64 {
	if level == silentLevel {
		return 0
	}
	return math.Pow(10, -float64(level)/20)
}

func put(list *[]RTPContributingSource, s RTPContributingSource) {
	oldest := 0
	for i := range *list {
		o := &(*list)[i]
		if o.Source == s.Source {
			*o = s
			return
		}
		if o.Timestamp.Before((*list)[oldest].Timestamp) {
			oldest = i
		}
	}
	if len(*list) == maxHeard || len(*list) > 0 && s.Timestamp.Sub((*list)[oldest].Timestamp) > hearing {
		(*list)[oldest] = s
		return
	}
	*list = append(*list, s)
}

// recent gives those of the last ten seconds, the latest first.
func recent(list []RTPContributingSource, now time.Time) []RTPContributingSource {
	list = slices.DeleteFunc(slices.Clone(list), func(s RTPContributingSource) bool { return now.Sub(s.Timestamp) > hearing })
	slices.SortStableFunc(list, func(a, b RTPContributingSource) int { return b.Timestamp.Compare(a.Timestamp) })
	return list
}

// GetContributingSources is W3C's getContributingSources: who a mixer has named as its sources (CSRC) in the packets of the last ten seconds that
// the application was given. https://w3c.github.io/webrtc-pc/#dom-rtcrtpreceiver-getcontributingsources
func (r *RTPReceiver) GetContributingSources() (list []RTPContributingSource) {
	l := r.transceiver.loop
	l.view(func(*peer.Core) { list = recent(r.heard.contributing, l.now()) })
	return list
}

// GetSynchronizationSources is W3C's getSynchronizationSources: the sources of the packets of the last ten seconds that the application was
// given. https://w3c.github.io/webrtc-pc/#dom-rtcrtpreceiver-getsynchronizationsources
func (r *RTPReceiver) GetSynchronizationSources() (list []RTPContributingSource) {
	l := r.transceiver.loop
	l.view(func(*peer.Core) { list = recent(r.heard.synchronization, l.now()) })
	return list
}
