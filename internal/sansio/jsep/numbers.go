package jsep

import (
	"slices"
	"strconv"
	"strings"
)

// numbers are the payload types and the identifiers of header extensions that have a meaning in the bundle.
//
// RFC 9143, section 9.1: a payload type that is used in several bundled sections means the same in all of them. RFC 8285, section 5: so does an
// identifier of a header extension.
type numbers struct {
	formats    [128]*Codec
	extensions [256]string
}

// use takes the numbers of a section. What had a meaning keeps it.
func (n *numbers) use(m *mediaAttributes) {
	for i := range m.codecs {
		if c := &m.codecs[i]; n.formats[c.PayloadType] == nil {
			n.formats[c.PayloadType] = c
		}
	}
	for _, e := range m.extensions {
		if n.extensions[e.ID] == "" {
			n.extensions[e.ID] = e.URI
		}
	}
}

// numbersInUse are those of the descriptions that are applied.
func (s *Session) numbersInUse() *numbers {
	n := new(numbers)
	for _, d := range []*description{s.currentLocal, s.pendingLocal, s.currentRemote, s.pendingRemote} {
		if d == nil {
			continue
		}
		for i := range d.sections {
			if m := &d.sections[i]; m.media != nil && m.live() {
				n.use(m.media)
			}
		}
	}
	return n
}

// free is a payload type without a meaning: the wanted one, or of those that RFC 5761, section 4 leaves to dynamic assignment.
func (n *numbers) free(wanted uint8) (uint8, bool) {
	if n.formats[wanted] == nil {
		return wanted, true
	}
	for _, r := range [][2]uint8{{96, 127}, {35, 63}} {
		for pt := r[0]; pt <= r[1]; pt++ {
			if n.formats[pt] == nil {
				return pt, true
			}
		}
	}
	return 0, false
}

// offer makes the formats of an offered section of ours: under the numbers of before, or else under those that the bundle has for them, or else
// under ours if those are free. was are the formats of the section before; unless ours is an order that was asked for, theirs is kept.
func (n *numbers) offer(ours, was []Codec, ourOrder bool) (list []Codec) {
	taken := func(pt uint8) bool {
		return slices.ContainsFunc(list, func(c Codec) bool { return c.PayloadType == pt })
	}
	number := make(map[uint8]uint8) // of ours, what it has become
	add := func(c *Codec, pt uint8) {
		number[c.PayloadType] = pt
		own := *c
		own.PayloadType = pt
		list = append(list, own)
		if n.formats[pt] == nil {
			n.formats[pt] = &own
		}
	}
	known := func(c *Codec) bool { _, ok := number[c.PayloadType]; return ok || c.Is("rtx") }
	if !ourOrder {
		for i := range was {
			for k := range ours {
				if c := &ours[k]; !known(c) && c.same(&was[i]) && !taken(was[i].PayloadType) {
					add(c, was[i].PayloadType)
					break
				}
			}
		}
	}
	for k := range ours {
		c := &ours[k]
		if known(c) {
			continue
		}
		means := func(o *Codec) bool { return o != nil && !o.Is("rtx") && c.same(o) && !taken(o.PayloadType) }
		if i := slices.IndexFunc(was, func(o Codec) bool { return means(&o) }); i >= 0 {
			add(c, was[i].PayloadType)
		} else if i := slices.IndexFunc(n.formats[:], means); i >= 0 {
			add(c, uint8(i))
		} else if pt, ok := n.free(c.PayloadType); ok {
			add(c, pt)
		}
	}
	return n.offerRepairs(ours, list, number)
}

// offerRepairs adds the formats that are about others, which they name by number.
func (n *numbers) offerRepairs(ours, media []Codec, number map[uint8]uint8) []Codec {
	list := make([]Codec, 0, 2*len(media))
	for i := range media {
		m := media[i]
		if m.Is("red") {
			var ok bool
			if m.Fmtp, ok = renumber(m.Fmtp, func(pt uint8) (uint8, bool) { to, ok := number[pt]; return to, ok }); !ok {
				continue
			}
		}
		list = append(list, m)
		for k := range ours {
			c := ours[k]
			of, ok := c.RepairOf()
			to, has := number[of]
			if !ok || !has || to != m.PayloadType {
				continue
			}
			if pt := slices.IndexFunc(n.formats[:], func(o *Codec) bool {
				if o == nil {
					return false
				}
				apt, is := o.RepairOf()
				return is && apt == to
			}); pt >= 0 {
				c.PayloadType = uint8(pt)
			} else if c.PayloadType, ok = n.free(c.PayloadType); !ok {
				continue
			}
			if c.Fmtp = withParameter(c.Fmtp, "apt", strconv.Itoa(int(to))); n.formats[c.PayloadType] == nil {
				kept := c
				n.formats[c.PayloadType] = &kept
			}
			list = append(list, c)
			break
		}
	}
	return list
}

// renumber rewrites the "111/111" of RFC 2198; false: it names a format that is not there.
func renumber(fmtp string, to func(pt uint8) (uint8, bool)) (string, bool) {
	if fmtp == "" {
		return "", true
	}
	parts := strings.Split(fmtp, "/")
	for i, part := range parts {
		pt, err := strconv.ParseUint(part, 10, 7)
		if err != nil {
			return "", false
		}
		n, ok := to(uint8(pt))
		if !ok {
			return "", false
		}
		parts[i] = strconv.Itoa(int(n))
	}
	return strings.Join(parts, "/"), true
}

// withParameter is fmtp with another value of a parameter.
func withParameter(fmtp, key, value string) string {
	parts := strings.Split(fmtp, ";")
	for i, part := range parts {
		if k, v, _ := strings.Cut(part, "="); strings.EqualFold(strings.TrimSpace(k), key) {
			if v == value {
				return fmtp
			}
			parts[i] = k + "=" + value
			return strings.Join(parts, ";")
		}
	}
	if fmtp != "" {
		fmtp += ";"
	}
	return fmtp + key + "=" + value
}

// answer leaves out the formats whose payload types mean something else in the bundle, and what repairs them.
func (n *numbers) answer(list []Codec) []Codec {
	list = slices.DeleteFunc(list, func(c Codec) bool {
		o := n.formats[c.PayloadType]
		return o != nil && !sameNumber(o, &c)
	})
	list = slices.DeleteFunc(list, func(c Codec) bool {
		of, ok := c.RepairOf()
		return ok && !slices.ContainsFunc(list, func(m Codec) bool { return m.PayloadType == of })
	})
	if !slices.ContainsFunc(list, func(c Codec) bool { return c.carriesMedia() }) {
		return nil
	}
	return list
}

// sameNumber tells whether two formats may have one payload type in a bundle.
func sameNumber(a, b *Codec) bool {
	of, repairs := a.RepairOf()
	other, too := b.RepairOf()
	return a.same(b) && repairs == too && of == other
}

// offerExtensions numbers our header extensions for a section; was are those of the section before.
//
// RFC 8285, section 4.2: the one-byte form has 1 to 14, and "The local identifier value 15 is reserved for a future extension and MUST NOT be
// used as an identifier." What is above needs the two-byte form.
func (s *Session) offerExtensions(n *numbers, kind MediaKind, was []Extension) (list []Extension) {
	for i := range s.cfg.Formats.extensions {
		h := &s.cfg.Formats.extensions[i]
		if h.Kind != 0 && h.Kind != kind {
			continue
		}
		e := Extension{URI: h.URI, Direction: h.direction()}
		if i := slices.IndexFunc(was, func(o Extension) bool { return o.URI == h.URI }); i >= 0 {
			e.ID = was[i].ID
		} else if i := slices.Index(n.extensions[1:], h.URI); i >= 0 {
			e.ID = uint8(i + 1)
		} else if i := slices.Index(n.extensions[1:15], ""); i >= 0 {
			e.ID = uint8(i + 1)
		} else if i := slices.Index(n.extensions[16:], ""); i >= 0 {
			e.ID = uint8(i + 16)
		} else {
			continue
		}
		n.extensions[e.ID] = e.URI
		list = append(list, e)
	}
	return list
}

// answerExtensions takes of theirs what is also ours, under their numbers.
//
// RFC 8285, section 6: what an answer does not list is not used; a direction is answered by one that fits.
func (s *Session) answerExtensions(n *numbers, kind MediaKind, theirs []Extension) (list []Extension) {
	for _, e := range theirs {
		for i := range s.cfg.Formats.extensions {
			h := &s.cfg.Formats.extensions[i]
			d := e.Direction.Reversed() & h.direction()
			free := n.extensions[e.ID] == "" || n.extensions[e.ID] == e.URI
			if h.URI == e.URI && (h.Kind == 0 || h.Kind == kind) && free && (d != Inactive || e.Direction == Inactive) {
				list = append(list, Extension{ID: e.ID, URI: h.URI, Direction: d})
				break
			}
		}
	}
	return list
}

// direction is that of the extension, or the default.
func (h *HeaderExtension) direction() Direction {
	if h.Direction == Inactive {
		return SendRecv
	}
	return h.Direction
}
