package rtc

// HandlerFuncs is an EventHandler for short programs: a function for each event, called when it is not nil. The functions are read when
// an event comes, so they are to be set before Build.
type HandlerFuncs struct {
	NegotiationNeeded            func(pc *PeerConnection)
	ICECandidate                 func(pc *PeerConnection, candidate *ICECandidate)
	ICECandidateError            func(pc *PeerConnection, err ICECandidateError)
	SignalingStateChange         func(pc *PeerConnection, state SignalingState)
	ICEGatheringStateChange      func(pc *PeerConnection, state ICEGatheringState)
	ICEConnectionStateChange     func(pc *PeerConnection, state ICEConnectionState)
	ConnectionStateChange        func(pc *PeerConnection, state PeerConnectionState)
	DataChannel                  func(pc *PeerConnection, dc *DataChannel)
	DataChannelOpen              func(pc *PeerConnection, dc *DataChannel)
	DataChannelMessage           func(pc *PeerConnection, dc *DataChannel, msg DataChannelMessage)
	DataChannelBufferedAmountLow func(pc *PeerConnection, dc *DataChannel)
	DataChannelClosing           func(pc *PeerConnection, dc *DataChannel)
	DataChannelError             func(pc *PeerConnection, dc *DataChannel, err error)
	DataChannelClose             func(pc *PeerConnection, dc *DataChannel)
}

var _ EventHandler = (*HandlerFuncs)(nil)

// OnNegotiationNeeded calls NegotiationNeeded.
func (h *HandlerFuncs) OnNegotiationNeeded(pc *PeerConnection) {
	if h.NegotiationNeeded != nil {
		h.NegotiationNeeded(pc)
	}
}

// OnICECandidate calls ICECandidate.
func (h *HandlerFuncs) OnICECandidate(pc *PeerConnection, candidate *ICECandidate) {
	if h.ICECandidate != nil {
		h.ICECandidate(pc, candidate)
	}
}

// OnICECandidateError calls ICECandidateError.
func (h *HandlerFuncs) OnICECandidateError(pc *PeerConnection, err ICECandidateError) {
	if h.ICECandidateError != nil {
		h.ICECandidateError(pc, err)
	}
}

// OnSignalingStateChange calls SignalingStateChange.
func (h *HandlerFuncs) OnSignalingStateChange(pc *PeerConnection, state SignalingState) {
	if h.SignalingStateChange != nil {
		h.SignalingStateChange(pc, state)
	}
}

// OnICEGatheringStateChange calls ICEGatheringStateChange.
func (h *HandlerFuncs) OnICEGatheringStateChange(pc *PeerConnection, state ICEGatheringState) {
	if h.ICEGatheringStateChange != nil {
		h.ICEGatheringStateChange(pc, state)
	}
}

// OnICEConnectionStateChange calls ICEConnectionStateChange.
func (h *HandlerFuncs) OnICEConnectionStateChange(pc *PeerConnection, state ICEConnectionState) {
	if h.ICEConnectionStateChange != nil {
		h.ICEConnectionStateChange(pc, state)
	}
}

// OnConnectionStateChange calls ConnectionStateChange.
func (h *HandlerFuncs) OnConnectionStateChange(pc *PeerConnection, state PeerConnectionState) {
	if h.ConnectionStateChange != nil {
		h.ConnectionStateChange(pc, state)
	}
}

// OnDataChannel calls DataChannel.
func (h *HandlerFuncs) OnDataChannel(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannel != nil {
		h.DataChannel(pc, dc)
	}
}

// OnDataChannelOpen calls DataChannelOpen.
func (h *HandlerFuncs) OnDataChannelOpen(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannelOpen != nil {
		h.DataChannelOpen(pc, dc)
	}
}

// OnDataChannelMessage calls DataChannelMessage.
func (h *HandlerFuncs) OnDataChannelMessage(pc *PeerConnection, dc *DataChannel, msg DataChannelMessage) {
	if h.DataChannelMessage != nil {
		h.DataChannelMessage(pc, dc, msg)
	}
}

// OnDataChannelBufferedAmountLow calls DataChannelBufferedAmountLow.
func (h *HandlerFuncs) OnDataChannelBufferedAmountLow(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannelBufferedAmountLow != nil {
		h.DataChannelBufferedAmountLow(pc, dc)
	}
}

// OnDataChannelClosing calls DataChannelClosing.
func (h *HandlerFuncs) OnDataChannelClosing(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannelClosing != nil {
		h.DataChannelClosing(pc, dc)
	}
}

// OnDataChannelError calls DataChannelError.
func (h *HandlerFuncs) OnDataChannelError(pc *PeerConnection, dc *DataChannel, err error) {
	if h.DataChannelError != nil {
		h.DataChannelError(pc, dc, err)
	}
}

// OnDataChannelClose calls DataChannelClose.
func (h *HandlerFuncs) OnDataChannelClose(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannelClose != nil {
		h.DataChannelClose(pc, dc)
	}
}

// Handlers gives one EventHandler that calls each of hs, in their order, for every event. They share a message's Data.
func Handlers(hs ...EventHandler) EventHandler { return handlers(append([]EventHandler(nil), hs...)) }

type handlers []EventHandler

func (hs handlers) OnNegotiationNeeded(pc *PeerConnection) {
	for _, h := range hs {
		h.OnNegotiationNeeded(pc)
	}
}

func (hs handlers) OnICECandidate(pc *PeerConnection, candidate *ICECandidate) {
	for _, h := range hs {
		h.OnICECandidate(pc, candidate)
	}
}

func (hs handlers) OnICECandidateError(pc *PeerConnection, err ICECandidateError) {
	for _, h := range hs {
		h.OnICECandidateError(pc, err)
	}
}

func (hs handlers) OnSignalingStateChange(pc *PeerConnection, state SignalingState) {
	for _, h := range hs {
		h.OnSignalingStateChange(pc, state)
	}
}

func (hs handlers) OnICEGatheringStateChange(pc *PeerConnection, state ICEGatheringState) {
	for _, h := range hs {
		h.OnICEGatheringStateChange(pc, state)
	}
}

func (hs handlers) OnICEConnectionStateChange(pc *PeerConnection, state ICEConnectionState) {
	for _, h := range hs {
		h.OnICEConnectionStateChange(pc, state)
	}
}

func (hs handlers) OnConnectionStateChange(pc *PeerConnection, state PeerConnectionState) {
	for _, h := range hs {
		h.OnConnectionStateChange(pc, state)
	}
}

func (hs handlers) OnDataChannel(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannel(pc, dc)
	}
}

func (hs handlers) OnDataChannelOpen(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannelOpen(pc, dc)
	}
}

func (hs handlers) OnDataChannelMessage(pc *PeerConnection, dc *DataChannel, msg DataChannelMessage) {
	for _, h := range hs {
		h.OnDataChannelMessage(pc, dc, msg)
	}
}

func (hs handlers) OnDataChannelBufferedAmountLow(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannelBufferedAmountLow(pc, dc)
	}
}

func (hs handlers) OnDataChannelClosing(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannelClosing(pc, dc)
	}
}

func (hs handlers) OnDataChannelError(pc *PeerConnection, dc *DataChannel, err error) {
	for _, h := range hs {
		h.OnDataChannelError(pc, dc, err)
	}
}

func (hs handlers) OnDataChannelClose(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannelClose(pc, dc)
	}
}
