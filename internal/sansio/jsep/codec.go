package jsep

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// MediaKind is audio or video.
type MediaKind uint8

// Audio and Video.
const (
	Audio MediaKind = iota + 1
	Video
)

// String returns W3C's word, which is also that of the m= line.
func (k MediaKind) String() string {
	switch k {
	case Audio:
		return "audio"
	case Video:
		return "video"
	}
	return "unknown"
}

// Codec is a format of a media section: what an a=rtpmap line and those about the same payload type say.
type Codec struct {
	PayloadType uint8
	Name        string // of the encoding, as "opus"; compared without case
	ClockRate   uint32
	Channels    uint16 // zero is one
	Fmtp        string // the parameters of a=fmtp
	Feedback    []Feedback
}

// Feedback is an a=rtcp-fb line (RFC 4585 section 4.2): "nack" and "pli", say.
type Feedback struct{ Type, Parameter string }

// Is compares the name.
func (c *Codec) Is(name string) bool { return strings.EqualFold(c.Name, name) }

// Resilience tells whether the format carries no media of its own but repairs that of others.
func (c *Codec) Resilience() bool {
	return c.Is("rtx") || c.Is("red") || c.Is("ulpfec") || c.Is("flexfec-03") || c.Is("flexfec")
}

// carriesMedia tells whether the format is one that a section can do with alone. Comfort noise and telephone events go beside others.
func (c *Codec) carriesMedia() bool {
	return !c.Resilience() && !c.Is("CN") && !c.Is("telephone-event")
}

// RepairOf is the payload type that retransmissions are of (RFC 4588 section 8.6, apt).
func (c *Codec) RepairOf() (uint8, bool) {
	if !c.Is("rtx") {
		return 0, false
	}
	n, err := strconv.ParseUint(parameter(c.Fmtp, "apt"), 10, 7)
	return uint8(n), err == nil
}

// parameter finds a value in a=fmtp's "key=value;key=value". Keys are compared without case, and of two the last counts.
func parameter(fmtp, key string) (value string) {
	for part := range strings.SplitSeq(fmtp, ";") {
		if k, v, _ := strings.Cut(part, "="); strings.EqualFold(strings.TrimSpace(k), key) {
			value = strings.TrimSpace(v)
		}
	}
	return value
}

// same tells whether a and b are one format: of the same encoding, with parameters that can't be negotiated alike. Retransmissions are compared by
// what they are of, elsewhere.
func (c *Codec) same(o *Codec) bool {
	if !strings.EqualFold(c.Name, o.Name) || c.ClockRate != o.ClockRate || max(c.Channels, 1) != max(o.Channels, 1) {
		return false
	}
	alike := func(key, absent string) bool {
		return strings.EqualFold(cmp.Or(parameter(c.Fmtp, key), absent), cmp.Or(parameter(o.Fmtp, key), absent))
	}
	switch {
	case c.Is("h264"):
		// RFC 6184 section 8.2.2: "The parameters identifying a media format configuration for H.264 are profile-level-id and
		// packetization-mode", of the first the level may differ.
		return alike("packetization-mode", "0") &&
			h264Profile(parameter(c.Fmtp, "profile-level-id")) == h264Profile(parameter(o.Fmtp, "profile-level-id"))
	case c.Is("h265"):
		// RFC 7798 section 7.2.2: profile, tier and transmission mode are of the configuration, the level may differ.
		return alike("profile-space", "0") && alike("profile-id", "1") && alike("tier-flag", "0") && alike("tx-mode", "srst")
	case c.Is("vp9"):
		return alike("profile-id", "0") // RFC 9628 section 6
	case c.Is("av1"):
		return alike("profile", "0") // AV1 RTP payload specification, section 7.2.3
	}
	return true
}

// h264 profiles that differ. The zero value is for what is none of them.
type profile uint8

const (
	_ profile = iota
	constrainedBaseline
	baseline
	mainProfile
	extended
	constrainedHigh
	high
	high10
	high422
	high444
	cavlc444
)

// h264Profile reads the profile of a profile-level-id. RFC 6184 section 8.1: the same profile may be written with several profile_idc, if
// profile-iop has the constraint flags; without the parameter it is the Baseline profile.
func h264Profile(id string) profile {
	if id == "" {
		return baseline
	}
	n, err := strconv.ParseUint(id, 16, 24)
	if err != nil || len(id) != 6 {
		return 0
	}
	idc, iop := n>>16, uint8(n>>8)
	set := func(mask uint8) bool { return iop&mask == mask }
	const set0, set1, set4, set5 = 0x80, 0x40, 0x08, 0x04
	switch idc {
	case 0x42:
		if set(set1) {
			return constrainedBaseline
		}
		return baseline
	case 0x4d:
		if set(set0) {
			return constrainedBaseline
		}
		return mainProfile
	case 0x58:
		if set(set0 | set1) {
			return constrainedBaseline
		}
		if set(set0) {
			return baseline
		}
		return extended
	case 0x64:
		if set(set4 | set5) {
			return constrainedHigh
		}
		return high
	case 0x6e:
		return high10
	case 0x7a:
		return high422
	case 0xf4:
		return high444
	case 0x2c:
		return cavlc444
	}
	return 0
}

// hasCommon tells whether two lists have a format in common that carries media.
func hasCommon(a, b []Codec) bool {
	return slices.ContainsFunc(a, func(c Codec) bool {
		return c.carriesMedia() && slices.ContainsFunc(b, func(o Codec) bool { return c.same(&o) })
	})
}

// agreeCodecs makes the formats of an answer: those of theirs that are also in ours, with their payload types and in the order of ours or theirs.
// What both understand of feedback stays. Retransmissions and redundancy stay only for formats that do.
func agreeCodecs(ours, theirs []Codec, ourOrder bool) []Codec {
	if !hasCommon(ours, theirs) {
		return nil
	}
	var media []Codec
	has := func(pt uint8) bool {
		return slices.ContainsFunc(media, func(a Codec) bool { return a.PayloadType == pt })
	}
	match := func(o, t *Codec) {
		if o.Is("rtx") || has(t.PayloadType) || !o.same(t) {
			return
		}
		media = append(media, Codec{
			PayloadType: t.PayloadType, Name: o.Name, ClockRate: o.ClockRate, Channels: o.Channels,
			Fmtp: answerFmtp(o, t), Feedback: common(o.Feedback, t.Feedback),
		})
	}
	if ourOrder {
		for i := range ours {
			for k := range theirs {
				match(&ours[i], &theirs[k])
			}
		}
	} else {
		for k := range theirs {
			for i := range ours {
				match(&ours[i], &theirs[k])
			}
		}
	}
	var agreed []Codec
	for i := range media {
		m := &media[i]
		if m.Is("red") {
			same := func(pt uint8) (uint8, bool) { return pt, has(pt) }
			k := slices.IndexFunc(theirs, func(t Codec) bool { return t.PayloadType == m.PayloadType })
			var ok bool
			if m.Fmtp, ok = renumber(theirs[k].Fmtp, same); !ok {
				continue
			}
		}
		agreed = append(agreed, *m)
		// RFC 4588 section 8.6: what retransmissions are of decides whether they are the same.
		for k := range theirs {
			of, ok := theirs[k].RepairOf()
			o := slices.IndexFunc(ours, func(o Codec) bool { return o.repairs(ours, m) })
			if ok && of == m.PayloadType && o >= 0 {
				agreed = append(agreed, Codec{
					PayloadType: theirs[k].PayloadType, Name: ours[o].Name, ClockRate: theirs[k].ClockRate,
					Fmtp: withParameter(ours[o].Fmtp, "apt", strconv.Itoa(int(of))),
				})
				break
			}
		}
	}
	return agreed
}

// repairs tells whether c is the retransmission format, among list, of a format like o.
func (c *Codec) repairs(list []Codec, o *Codec) bool {
	of, ok := c.RepairOf()
	return ok && slices.ContainsFunc(list, func(m Codec) bool { return m.PayloadType == of && !m.Is("rtx") && m.same(o) })
}

// answerFmtp is what an answer says of a format: our own parameters, which are what we can receive. Those that must be alike are alike;
// the level of H.264 is the lower of both where asymmetry is not allowed by both.
//
// RFC 6184 section 8.2.2: "If both sides signal level-asymmetry-allowed=1, the level […] is allowed to be asymmetric".
func answerFmtp(ours, theirs *Codec) string {
	if !ours.Is("h264") {
		return ours.Fmtp
	}
	asymmetric := func(c *Codec) bool { return parameter(c.Fmtp, "level-asymmetry-allowed") == "1" }
	p, q := parameter(ours.Fmtp, "profile-level-id"), parameter(theirs.Fmtp, "profile-level-id")
	if asymmetric(ours) && asymmetric(theirs) || h264Profile(q) == 0 || q == "" {
		return ours.Fmtp
	}
	if len(p) == 6 && h264Level(p) <= h264Level(q) {
		return ours.Fmtp
	}
	return withParameter(ours.Fmtp, "profile-level-id", q)
}

// h264Level orders levels; level 1b, written as 11 with constraint_set3, is below 1.1.
func h264Level(id string) int {
	n, err := strconv.ParseUint(id, 16, 24)
	if err != nil {
		return 0
	}
	level := int(n&0xff) * 2
	if n&0xff == 11 && n>>8&0x10 != 0 && n>>16 < 0x64 || n&0xff == 9 {
		level = 21
	}
	return level
}

// common is what of a is in b too; a itself, if that is all.
func common(a, b []Feedback) (both []Feedback) {
	in := func(f Feedback) bool {
		return slices.ContainsFunc(b, func(g Feedback) bool {
			return strings.EqualFold(f.Type, g.Type) && strings.EqualFold(f.Parameter, g.Parameter)
		})
	}
	if !slices.ContainsFunc(a, func(f Feedback) bool { return !in(f) }) {
		return a
	}
	for _, f := range a {
		if in(f) {
			both = append(both, f)
		}
	}
	return both
}
