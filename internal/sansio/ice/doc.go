// Package ice is an Interactive Connectivity Establishment agent (RFC 8445) that does no I/O.
package ice
