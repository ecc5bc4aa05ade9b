// Record makes the descriptions in internal/sansio/jsep/testdata/browsers anew: it starts an installed browser on a page of its own
// (page.html), which makes connections between objects of its own and posts what they said.
//
//	go run ./record -browser /usr/bin/chromium
//
// The browser is Chromium, or Firefox when its path says so. It needs no driver and leaves nothing but the files.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed page.html
var page []byte

// posted is what the page says in the end.
type posted struct {
	UserAgent    string
	Error        string
	Descriptions []struct{ Name, Says, SDP string }
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("record: ")
	browser := flag.String("browser", "chromium", "the browser to ask")
	out := flag.String("out", "../internal/sansio/jsep/testdata/browsers", "the folder of the files")
	flag.Parse()
	if err := record(*browser, *out); err != nil {
		log.Fatal(err)
	}
}

func record(browser, out string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	profile, err := os.MkdirTemp("", "record-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)

	answers := make(chan posted, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	mux.HandleFunc("POST /", func(_ http.ResponseWriter, r *http.Request) {
		var p posted
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			p.Error = err.Error()
		}
		answers <- p
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go http.Serve(l, mux)

	name := "chromium"
	args := []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--user-data-dir=" + profile,
	}
	if strings.Contains(browser, "firefox") {
		name = "firefox"
		args = []string{"--headless", "--no-remote", "--profile", profile}
		if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(firefoxPrefs), 0o644); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, browser, append(args, "http://"+l.Addr().String()+"/")...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var p posted
	select {
	case p = <-answers:
		cmd.Process.Kill()
		<-ended
	case err := <-ended:
		return fmt.Errorf("the browser ended: %w\n%s", err, said.String())
	}
	if p.Error != "" {
		return errors.New(p.Error)
	}

	var readme strings.Builder
	fmt.Fprintf(&readme, "Descriptions of %s,\nrecorded by `go run ./record -browser %s` in browsertest:\n\n", p.UserAgent, filepath.Base(browser))
	for _, d := range p.Descriptions {
		file := name + "-" + d.Name + ".sdp"
		if err := os.WriteFile(filepath.Join(out, file), []byte(d.SDP), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&readme, "- `%s`: %s\n", file, d.Says)
	}
	log.Printf("%d descriptions of %s", len(p.Descriptions), p.UserAgent)
	return os.WriteFile(filepath.Join(out, name+".md"), []byte(readme.String()), 0o644)
}

// firefoxPrefs let Firefox use its fake devices without asking, and keep it from asking the network for anything.
const firefoxPrefs = `
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
`
