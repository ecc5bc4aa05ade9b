// Package dtls is a DTLS 1.2 client and server without I/O.
package dtls
