package peer

import (
	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
)

func (c *Core) setICEState(s ice.State) {
	if s != c.iceState {
		c.iceState = s
		c.events.push(Event{Kind: EventICEState, State: uint8(s)})
	}
}

func (c *Core) setConnectionState(s ConnectionState) {
	if s != c.connection {
		c.connection = s
		c.events.push(Event{Kind: EventConnectionState, State: uint8(s)})
	}
}

func (c *Core) setGathering(s GatheringState) {
	if s != c.gathering {
		c.gathering = s
		c.events.push(Event{Kind: EventGatheringState, State: uint8(s)})
	}
}

// updateConnectionState follows the table of RTCPeerConnectionState, for one transport.
// https://w3c.github.io/webrtc-pc/#rtcpeerconnectionstate-enum
func (c *Core) updateConnectionState() {
	if c.closed {
		return
	}
	d := dtls.StateNew
	if c.dtls != nil {
		d = c.dtls.State()
	}
	i := c.iceState
	switch {
	case i == ice.StateFailed || c.dtlsFailed:
		c.setConnectionState(Failed)
	case i == ice.StateDisconnected:
		c.setConnectionState(Disconnected)
	case i == ice.StateNew && d == dtls.StateNew:
		c.setConnectionState(ConnectionNew)
	case (i == ice.StateConnected || i == ice.StateCompleted) && d == dtls.StateConnected:
		c.setConnectionState(Connected)
	default:
		c.setConnectionState(Connecting)
	}
}
