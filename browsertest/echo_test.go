package browsertest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// sees waits until the text of the element that selector names contains want.
func (p *tab) sees(selector, want string) {
	p.t.Helper()
	var text string
	err := p.try(&text, `(selector, want, ms) => new Promise(resolve => {
		const text = () => Array.from(document.querySelectorAll(selector), e => e.textContent).join("\n");
		const look = () => { if (text().includes(want)) done(); };
		const watch = new MutationObserver(look);
		const late = setTimeout(() => done(), ms);
		const done = () => { watch.disconnect(); clearTimeout(late); resolve(text()); };
		watch.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
		look();
	})`, selector, want, (patience / 2).Milliseconds())
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.Contains(text, want) {
		var events string
		p.call(&events, `() => Array.from(document.querySelectorAll("#events li"), e => Array.from(e.children, c => c.textContent).join(" ")).join("\n")`)
		p.t.Fatalf("%s has %q and no %q; the page's events:\n%s", selector, text, want, events)
	}
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do("clicking "+selector, chromedp.WaitEnabled(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// picture leaves a screenshot of the whole page in the folder that SCREENSHOTS names.
func (p *tab) picture(name string) {
	p.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Error(err)
	}
}

// goEvents are the events that the page heard from Go's handler, in their order.
func (p *tab) goEvents() []string {
	p.t.Helper()
	var events []string
	p.call(&events, `() => Array.from(document.querySelectorAll("#events li.go"), e => e.lastElementChild.textContent)`)
	return events
}

// A person's way through the page: connect, chat, send a file and random bytes, restart ICE from both sides, close, connect again.
func TestEchoPage(t *testing.T) {
	c := sharedChromium(t)
	file := filepath.Join(t.TempDir(), "some file.bin")
	if err := os.WriteFile(file, bytes.Repeat(pattern(1000), 300), 0o644); err != nil {
		t.Fatal(err)
	}
	forBoth(t, func(t *testing.T, who offerer) {
		p := c.open(t, startExample(t, "browser-echo"))
		if who == goOffers {
			p.click("input[value=go]")
		}
		p.click("#connect")
		p.sees("#connection", "connected")

		p.do("chatting", chromedp.WaitEnabled(chromedp.CSS("#text")), chromedp.SendKeys(chromedp.CSS("#text"), "hello there\n"))
		p.sees("#chat li.browser", "hello there")
		p.sees("#chat li.go", "hello there")

		p.click("#random")
		p.sees("#transfers li:nth-child(1)", "random: 1,048,576 bytes came back the same")
		p.do("choosing a file", chromedp.WaitEnabled(chromedp.CSS("#file")),
			chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
		p.sees("#transfers li:nth-child(2)", "some file.bin: 300,000 bytes came back the same")
		p.sees("#transfers li:nth-child(2) code", "SHA-256 "+sum(bytes.Repeat(pattern(1000), 300)))

		for _, from := range []string{"browser", "go"} {
			before := p.ufrags()
			p.click("#restart-" + from)
			p.call(nil, `before => new Promise(resolve => {
				const look = () => {
					const now = [pc.localDescription.sdp, pc.remoteDescription.sdp].map(s => s.match(/a=ice-ufrag:(.*)/)[1]);
					if (pc.signalingState === "stable" && now[0] !== before[0] && now[1] !== before[1]) resolve(); else setTimeout(look, 20);
				};
				look();
			})`, before)
			p.do("chatting", chromedp.SendKeys(chromedp.CSS("#text"), "after a restart from "+from+"\n"))
			p.sees("#chat li.go", "after a restart from "+from)
		}
		p.sees("#connection", "connected")
		p.picture("browser-echo, " + string(who))

		// What the page shows of Go's events is their order in the handler.
		at := -1
		events := p.goEvents()
		for _, want := range []string{"gathering: gathering", "gathering: complete", "connection: connected", `channel "events": open`, `channel "echo": open`} {
			i := slices.Index(events, want)
			if i < 0 || (i < at && !strings.HasPrefix(want, "channel")) {
				t.Errorf("Go's handler heard no %q at its place among %q", want, events)
			}
			at = i
		}

		p.click("#close")
		p.sees("#connection", "not connected")
		p.click("#connect")
		p.sees("#connection", "connected")
		p.do("chatting", chromedp.WaitEnabled(chromedp.CSS("#text")), chromedp.SendKeys(chromedp.CSS("#text"), "once more\n"))
		p.sees("#chat li.go", "once more")
	})
}

// The address may choose the offerer and connect without a click.
func TestEchoPageByAddress(t *testing.T) {
	p := sharedChromium(t).open(t, startExample(t, "browser-echo")+"?offerer=go&connect")
	p.sees("#connection", "connected")
	p.sees("#events li.go", `channel "echo": open`)
	var checked bool
	if p.call(&checked, `() => document.querySelector("input[value=go]").checked`); !checked {
		t.Error("?offerer=go has not chosen Go")
	}
}

// Everything on the page has a name for those who do not see it, and fits a phone's width.
func TestEchoPageAccessible(t *testing.T) {
	p := sharedChromium(t).open(t, startExample(t, "browser-echo"))
	var unnamed []string
	p.call(&unnamed, `() => Array.from(document.querySelectorAll("button, input, progress, section, ol"))
		.filter(e => !(e.labels && e.labels.length) && !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby") && !(e.tagName === "BUTTON" && e.textContent.trim()))
		.map(e => e.outerHTML)`)
	if len(unnamed) > 0 {
		t.Errorf("these have no name: %q", unnamed)
	}
	p.do("making the page narrow", chromedp.EmulateViewport(360, 740))
	var wide bool
	p.call(&wide, "() => document.documentElement.scrollWidth > innerWidth")
	if wide {
		t.Error("the page scrolls sideways at 360 pixels")
	}
	p.picture("browser-echo, narrow")
}

func (p *tab) ufrags() []string {
	p.t.Helper()
	var u []string
	p.call(&u, "() => [pc.localDescription.sdp, pc.remoteDescription.sdp].map(s => s.match(/a=ice-ufrag:(.*)/)[1])")
	return u
}
