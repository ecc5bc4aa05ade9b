package browsertest

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for anything. Everything here takes milliseconds; the machine may be busy.
const patience = 30 * time.Second

//go:embed testdata/peer.html testdata/media.js
var testdata embed.FS

var (
	// shared is the Chromium without flags of a test's own. It starts with the first test that needs it.
	shared = launched(nil)

	// media has a fake camera and microphone, which it gives to every page that asks. Such a page's candidates have addresses instead of
	// .local names. It is a browser of its own because of that.
	media = launched(map[string]any{
		"use-fake-device-for-media-stream": true, "use-fake-ui-for-media-stream": true,
		"autoplay-policy": "no-user-gesture-required", // an AudioContext would wait for one
	})

	// pages serves testdata: from 127.0.0.1, because crypto.subtle and getUserMedia need a secure context.
	pages *httptest.Server

	// scratch is a folder for what several tests use.
	scratch string
)

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "browsertest-*"); err != nil {
		log.Fatal(err)
	}
	files, err := fs.Sub(testdata, "testdata")
	if err != nil {
		log.Fatal(err)
	}
	pages = httptest.NewServer(http.FileServerFS(files))
	code := m.Run()
	for _, c := range running.list {
		c.close()
	}
	pages.Close()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// running are the browsers that tests share.
var running struct {
	sync.Mutex
	list []*chromium
}

// launched is a browser that starts when it is first asked for, and ends with the program.
func launched(flags map[string]any) func() (*chromium, error) {
	return sync.OnceValues(func() (*chromium, error) {
		c, err := launch(flags)
		if err == nil {
			running.Lock()
			running.list = append(running.list, c)
			running.Unlock()
		}
		return c, err
	})
}

// findChromium is the path of a browser, or "".
func findChromium() string {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// chromium is a running browser.
type chromium struct {
	ctx   context.Context
	close func()
}

// launch starts a browser with a new, empty profile. flags are added to those that keep it from asking the network for anything.
func launch(flags map[string]any) (*chromium, error) {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(findChromium()),
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.NoSandbox, // it refuses to run as root otherwise
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-default-apps", true),
		// Pages in the background must not have their timers slowed down: each test has its own page.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.WindowSize(1280, 1000),
	}
	for name, value := range flags {
		options = append(options, chromedp.Flag(name, value))
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(alloc)
	c := &chromium{ctx: ctx, close: func() { chromedp.Cancel(ctx); cancel(); stop() }}
	if err := chromedp.Do(ctx); err != nil {
		c.close()
		return nil, fmt.Errorf("starting %s: %w", findChromium(), err)
	}
	return c, nil
}

// needChromium ends the test when there is no browser: as failed where browsers are promised to be, as skipped elsewhere.
func needChromium(t *testing.T) {
	t.Helper()
	if findChromium() != "" {
		return
	}
	const msg = "there is no Chromium: run scripts/install-browser, or set CHROMIUM to its path"
	if os.Getenv("CI") == "true" {
		t.Fatal(msg)
	}
	t.Skip(msg) // a developer without a browser can run the rest; CI cannot come here
}

// use is a browser that several tests share; it starts with the first of them.
func use(t *testing.T, one func() (*chromium, error)) *chromium {
	t.Helper()
	needChromium(t)
	c, err := one()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sharedChromium is the browser without flags.
func sharedChromium(t *testing.T) *chromium { t.Helper(); return use(t, shared) }

// mediaChromium is the browser with fake devices.
func mediaChromium(t *testing.T) *chromium { t.Helper(); return use(t, media) }

// launchChromium is a browser with flags, for this test only.
func launchChromium(t *testing.T, flags map[string]any) *chromium {
	t.Helper()
	needChromium(t)
	c, err := launch(flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// tab is a page open in a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// open opens a page. An exception that its scripts do not catch fails the test.
func (c *chromium) open(t *testing.T, url string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(c.ctx)
	var mu sync.Mutex
	var thrown []string
	t.Cleanup(func() {
		cancel()
		mu.Lock()
		defer mu.Unlock()
		for _, s := range thrown {
			t.Errorf("the page threw: %s", s)
		}
	})
	// This opens the tab and ties its life to the context, which must therefore be the one without a deadline.
	if err := chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*runtime.EventExceptionThrown); ok {
			mu.Lock()
			defer mu.Unlock()
			thrown = append(thrown, (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
		}
	}); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	p := &tab{t, ctx}
	p.do("opening the page", chromedp.Navigate(url))
	return p
}

// do runs actions, which together do what, or fails the test.
func (p *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// call calls a function of the page with args as JSON, and keeps its awaited result in out, which may be nil.
func (p *tab) call(out any, function string, args ...any) {
	p.t.Helper()
	if err := p.try(out, function, args...); err != nil {
		p.t.Fatalf("%s: %v", function, err)
	}
}

func (p *tab) try(out any, function string, args ...any) error {
	list := make([]string, len(args))
	for i, arg := range args {
		b, err := json.Marshal(arg)
		if err != nil {
			return err
		}
		list[i] = string(b)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	expr := fmt.Sprintf("Promise.resolve((%s)(%s))", function, strings.Join(list, ", "))
	res, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expr, chromedp.EvalAwaitPromise))
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the page did not answer in time")
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(res, out)
}
