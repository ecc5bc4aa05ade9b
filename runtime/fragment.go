package runtime

// WholeSocket is what a [UDPSocket] may be besides. WholeDatagrams tells that its datagrams of more than 1200 bytes are never
// fragmented, neither here nor on the way: one that is too large for the path is lost, or Send refuses it. A connection all of whose sockets
// say so finds out how large its datagrams may be, up to 16 KiB; others stay at 1200 bytes. Those may be fragmented, and should be.
type WholeSocket interface {
	WholeDatagrams() bool
}
