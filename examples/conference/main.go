// Conference is a meeting place: whoever opens the page gives a name and a room, and sees and hears everybody else in that room. The program
// forwards packets and decodes nothing (it is a selective forwarding unit, RFC 7667 section 3.7). It shows
//
//   - perfect negotiation: both sides offer whenever they have something to say, at the same time too, and the page is the polite one. The first
//     offer goes over HTTP, all others over a data channel of the connection itself;
//   - a handler for each participant, whose fields need no lock; only what participants share has one;
//   - senders that come and go with their participants, and whose places in the descriptions are used again;
//   - one track for each camera and microphone, however many receive it.
//
// Run it and open the address it prints, in several tabs:
//
//	go run ./examples/conference
package main

import (
	_ "embed"
	"flag"

	"github.com/sansrtc/rtc/examples/internal/page"
)

//go:embed index.html
var html []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	flag.Parse()
	h := &house{rooms: map[string]*room{}}
	page.Main("conference", *addr, html, h.begin)
}
