package peer

import "time"

// AddTransceiver is W3C's addTransceiver.
func (c *Core) AddTransceiver(_ time.Time, init TransceiverInit) (TransceiverID, error) {
	id, err := c.session.AddTransceiver(init)
	return id, c.changed(err)
}

// AddTrack is W3C's addTrack: a transceiver that has not sent yet may be used.
func (c *Core) AddTrack(_ time.Time, kind MediaKind, track string, streams []string) (TransceiverID, error) {
	id, err := c.session.AddTrack(kind, track, streams)
	return id, c.changed(err)
}

// RemoveTrack is W3C's removeTrack. What is sent until the next negotiation is for the caller to stop.
func (c *Core) RemoveTrack(_ time.Time, id TransceiverID) error {
	return c.changed(c.session.RemoveTrack(id))
}

// SetTrack is W3C's replaceTrack as far as descriptions know of it. A track of the same encoding carries on with NewSource.
func (c *Core) SetTrack(id TransceiverID, track string, has bool) error {
	return c.session.SetTrack(id, track, has)
}

// SetStreams is W3C's setStreams.
func (c *Core) SetStreams(id TransceiverID, streams []string) error {
	return c.changed(c.session.SetStreams(id, streams))
}

// SetDirection is W3C's direction.
func (c *Core) SetDirection(_ time.Time, id TransceiverID, d Direction) error {
	return c.changed(c.session.SetDirection(id, d))
}

// SetCodecPreferences is W3C's setCodecPreferences, which takes effect with the next negotiation and does not ask for one.
func (c *Core) SetCodecPreferences(id TransceiverID, codecs []Codec) error {
	return c.session.SetCodecPreferences(id, codecs)
}

// SetEncodings changes what is sent: all of it before the first negotiation, after it only what is active.
func (c *Core) SetEncodings(now time.Time, id TransceiverID, encodings []Encoding) error {
	if err := c.session.SetEncodings(id, encodings); err != nil {
		return err
	}
	c.applySections(now, c.session.Media())
	return c.changed(nil)
}

// StopTransceiver is W3C's stop: nothing is sent or received any more, and the next negotiation tells the peer.
func (c *Core) StopTransceiver(now time.Time, id TransceiverID) error {
	if err := c.session.Stop(id); err != nil {
		return err
	}
	c.applySections(now, c.session.Media())
	return c.changed(nil)
}

// Transceivers are those that there are, in the order in which they were made.
func (c *Core) Transceivers() []TransceiverID { return c.session.Transceivers() }

// Transceiver tells about one.
func (c *Core) Transceiver(id TransceiverID) (Transceiver, bool) { return c.session.Transceiver(id) }

// Section is what was negotiated for a transceiver last; false: nothing.
func (c *Core) Section(id TransceiverID) (MediaSection, bool) {
	if c.media == nil {
		return MediaSection{}, false
	}
	l := c.media.leg(id)
	if l == nil {
		return MediaSection{}, false
	}
	return *l.section, true
}

// changed lets what has changed ask for a negotiation, unless there was an error.
func (c *Core) changed(err error) error {
	if err == nil {
		c.updateNegotiation()
	}
	return err
}
