package jsep

// TransceiverID names a transceiver of a [Session]. It is never used twice; zero is none.
type TransceiverID uint32

// HeaderExtension is an RTP header extension that is offered and accepted.
type HeaderExtension struct {
	URI  string
	Kind MediaKind // zero: both
	// Direction is who may use it, seen from here; zero is [SendRecv].
	Direction Direction
}

// TransceiverInit is W3C's RTCRtpTransceiverInit, with what there is of a track.
type TransceiverInit struct {
	Kind      MediaKind
	Direction Direction // zero is [Inactive]: there is no default
	HasTrack  bool
	Track     string   // its id, for a=msid
	Streams   []string // ids
	Encodings []Encoding
}

// Encoding is one of the streams that a sender sends. Sources that are zero when it is made are chosen by the Session.
type Encoding struct {
	RID       string // for simulcast: either all encodings of a sender have one, or it has one encoding
	SSRC, RTX uint32
	Inactive  bool // RTCRtpEncodingParameters.active is false
}

// Transceiver is what an RTCRtpTransceiver shows; a copy.
type Transceiver struct {
	ID         TransceiverID
	Kind       MediaKind
	Mid        string // empty: it has no section
	MLineIndex int    // -1: it has no section

	Direction  Direction
	Current    Direction // with HasCurrent
	HasCurrent bool
	// Stopping: it was stopped here, and the peer is to be told; Stopped: it is over, by an answer or an offer of the peer. A negotiation that
	// is complete forgets the transceivers that are stopped.
	Stopping, Stopped bool

	HasTrack    bool
	Encodings   []Encoding
	Streams     []string
	Preferences []Codec
}

// MediaSection is what has been negotiated for a transceiver so far.
type MediaSection struct {
	Transceiver TransceiverID
	Mid         string
	MLineIndex  int
	Kind        MediaKind

	// Sending and Receiving follow the current direction, which an answer has set, provisional or not. Receiving is true from a local offer
	// on, because media may come before the answer. Both end with Stop.
	Sending, Receiving bool

	ReducedSize     bool // RTCP of reduced size (RFC 5506)
	MixedExtensions bool // header extensions of one and two bytes may be mixed (RFC 8285)

	Send       []Codec     // what we may send, by the payload types of the remote description, preferred first
	Receive    []Codec     // what may come, by the payload types of our own description
	Extensions []Extension // with the direction from our side

	// Encodings are those of the transceiver, at the same places. Without simulcast there is one and it has no RID here; without a
	// retransmission format RTX is zero.
	Encodings []Encoding

	// Of the remote description, while it sends.
	Sources []Source
	RIDs    []RID // of simulcast
	MSIDs   []MSID
}
