package runtime

// WholeSocket is what a [UDPSocket] may be besides. WholeDatagrams tells that its datagrams are never fragmented, neither here nor on the
// way: one that is too large for the path is lost, or Send refuses it. A connection all of whose sockets say so finds out how large its
// datagrams may be, up to 16 KiB; others stay at 1200 bytes.
type WholeSocket interface {
	WholeDatagrams() bool
}
