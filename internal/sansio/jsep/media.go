package jsep

// Media is what has been negotiated for media so far, in the order of the sections. It changes with a Change, with Stop and with SetEncodings.
func (s *Session) Media() []MediaSection { return nil }

// sends tells whether the section of t in the local description sends.
func (s *Session) sends(t *transceiver) bool {
	d := s.local()
	i := d.byMid(t.mid)
	return i >= 0 && d.sections[i].media.is && d.sections[i].media.direction.Sends()
}
