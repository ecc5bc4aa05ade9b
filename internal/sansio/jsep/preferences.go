package jsep

// SetCodecPreferences implements W3C setCodecPreferences. The codecs are those of [Config].Formats, compared as formats; an empty list
// takes the preference back.
func (s *Session) SetCodecPreferences(id TransceiverID, codecs []Codec) error {
	t, err := s.alive(id, "SetCodecPreferences")
	if err != nil {
		return err
	}
	list, err := preferred(s.cfg.Formats.codecs[t.kind], codecs)
	if err != nil {
		return err
	}
	t.preferences = list
	s.touch()
	return nil
}

// preferred finds the codecs in ours. W3C: what is none of ours, and a list without a codec that carries media, is an InvalidModificationError.
func preferred(ours, codecs []Codec) (list []Codec, err error) {
	add := func(c *Codec) {
		for i := range list {
			if list[i].PayloadType == c.PayloadType {
				return
			}
		}
		list = append(list, *c)
	}
	media := false
	for i := range codecs {
		c, known := &codecs[i], false
		for k := range ours {
			o := &ours[k]
			if !c.Is("rtx") && !o.Is("rtx") && o.same(c) || c.Is("rtx") && o.Is("rtx") && sameRepair(codecs, c, ours, o) {
				add(o)
				known = true
				media = media || o.carriesMedia()
			}
		}
		if !known {
			return nil, errorf(InvalidModification, "the codec %s/%d %q is not one of ours", c.Name, c.ClockRate, c.Fmtp)
		}
	}
	if len(codecs) > 0 && !media {
		return nil, errorf(InvalidModification, "none of the codecs carries media")
	}
	return list, nil
}

// sameRepair tells whether o, of ours, retransmits one of the formats that c, of codecs, stands for. RFC 4588's format has no apt in W3C's
// capabilities: there it stands for the retransmission of whatever else is listed.
func sameRepair(codecs []Codec, c *Codec, ours []Codec, o *Codec) bool {
	of, all := c.RepairOf()
	for i := range codecs {
		m := &codecs[i]
		if !m.Is("rtx") && (!all || m.PayloadType == of) && o.repairs(ours, m) {
			return true
		}
	}
	return false
}
