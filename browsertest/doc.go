// Package browsertest tests package rtc against a live Chromium, driven over the DevTools protocol. It is a module of its own, so that
// who uses package rtc never sees what drives a browser.
//
// Most tests make a connection between a Go peer in the test's process and a page that does only what the test says
// (testdata/peer.html); the test carries the descriptions, and asks both sides what they heard. The tests of the browser-echo example
// build and start the program, and use its page as a person would: by its buttons.
//
// The tests of media do the same with pages that send numbered pictures and a tone (testdata/media.js): what comes back, decoded, shows which
// picture was sent. They share a browser with fake devices.
//
// They need Chromium, which scripts/install-browser installs. It is taken from the environment variable CHROMIUM or from PATH. Without it
// the tests fail where CI=true is set, and are skipped elsewhere. Nothing leaves the machine.
//
// With SCREENSHOTS set to a folder, the tests of the example leave pictures of its page there.
package browsertest
