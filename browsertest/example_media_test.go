package browsertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"
)

// moves waits until the video that selector names shows pictures that differ from each other, and gives its width.
func (p *tab) moves(selector string) (width int) {
	p.t.Helper()
	var got struct {
		Frames, Pictures, Width int
		State                   string
	}
	p.call(&got, `async (selector, ms) => {
		const canvas = new OffscreenCanvas(32, 24);
		const context = canvas.getContext("2d", { willReadFrequently: true });
		const seen = new Set();
		const begin = performance.now();
		let first = -1, video, frames = 0;
		while (performance.now() - begin < ms && (seen.size < 4 || frames < 8)) {
			video = document.querySelector(selector);
			if (video?.videoWidth) {
				const total = video.getVideoPlaybackQuality().totalVideoFrames;
				first = first < 0 ? total : first;
				frames = total - first;
				context.drawImage(video, 0, 0, 32, 24);
				seen.add(context.getImageData(0, 0, 32, 24).data.join());
			}
			await new Promise(resolve => setTimeout(resolve, 50));
		}
		return { frames, pictures: seen.size, width: video?.videoWidth ?? 0, state: window.pc?.connectionState ?? "no connection" };
	}`, selector, (patience * 2 / 3).Milliseconds())
	if got.Frames < 8 || got.Pictures < 4 {
		p.t.Fatalf("%s has shown %d frames, %d pictures that differ, %d wide; the page is %s", selector, got.Frames, got.Pictures, got.Width, got.State)
	}
	return got.Width
}

func (p *tab) fill(selector, text string) {
	p.t.Helper()
	p.call(nil, `(selector, text) => {
		const element = document.querySelector(selector);
		element.value = text;
		element.dispatchEvent(new Event("change"));
	}`, selector, text)
}

// has tells whether the browser encodes a codec.
func (p *tab) has(mimeType string) (has bool) {
	p.t.Helper()
	p.call(&has, `(mimeType) => RTCRtpSender.getCapabilities("video").codecs.some(codec => codec.mimeType === mimeType)`, mimeType)
	return has
}

var videoCodecs = []string{"video/VP8", "video/VP9", "video/AV1", "video/H264"}

// What the camera shows comes back from reflect, in each codec that the browser has.
func TestReflectPage(t *testing.T) {
	c := mediaChromium(t)
	url := startExample(t, "reflect")
	tried := 0
	for _, codec := range videoCodecs {
		p := c.open(t, url)
		if !p.has(codec) {
			t.Logf("this Chromium has no %s", codec)
			continue
		}
		tried++
		p.fill("#codec", codec)
		p.click("#start")
		p.moves("#back")
		p.sees("#state", "connected")
		p.picture("reflect-" + strings.TrimPrefix(codec, "video/"))
		var decoded string
		p.call(&decoded, `async () => {
			const stats = await pc.getStats();
			const stream = [...stats.values()].find(s => s.type === "inbound-rtp" && s.kind === "video");
			return stats.get(stream.codecId).mimeType;
		}`)
		if decoded != codec {
			t.Errorf("the page wants %s and decodes %s", codec, decoded)
		}
		p.call(nil, `() => pc.close()`)
	}
	if tried < 3 {
		t.Errorf("only %d codecs were tried", tried)
	}
}

// The stats example reflects as well.
func TestStatsPage(t *testing.T) {
	p := mediaChromium(t).open(t, startExample(t, "stats"))
	p.click("#start")
	p.moves("#back")
}

// Play-from-disk's film is shown.
func TestPlayFromDiskPage(t *testing.T) {
	p := mediaChromium(t).open(t, startExample(t, "play-from-disk"))
	p.click("#start")
	if width := p.moves("#film"); width != 320 {
		t.Errorf("the film is %d wide", width)
	}
	p.picture("play-from-disk")
}

// Save-to-disk's files can be read, for each codec that the browser has.
func TestSaveToDiskPage(t *testing.T) {
	c := mediaChromium(t)
	dir := t.TempDir()
	url := startExample(t, "save-to-disk", "-dir", dir)
	for _, codec := range videoCodecs {
		p := c.open(t, url)
		if !p.has(codec) {
			continue
		}
		before := files(t, dir)
		p.fill("#codec", codec)
		p.click("#start")
		p.sees("#state", "connected")
		var video, audio string
		waitFor(t, "the files of "+codec, func() bool {
			video, audio = "", ""
			for name, size := range files(t, dir) {
				if _, old := before[name]; old {
					continue
				}
				if strings.HasSuffix(name, ".ogg") && size > 2_000 {
					audio = name
				} else if !strings.HasSuffix(name, ".ogg") && size > 50_000 {
					video = name
				}
			}
			return video != "" && audio != ""
		})
		p.click("#stop")
		for _, name := range []string{video, audio} {
			if n, err := pieces(filepath.Join(dir, name)); err != nil || n < 10 {
				t.Errorf("%s: %d pieces, %v", name, n, err)
			}
		}
	}
}

func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			sizes[e.Name()] = info.Size()
		}
	}
	return sizes
}

// waitFor looks again and again.
func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	late := time.After(patience)
	for again := time.NewTicker(50 * time.Millisecond); !ready(); {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// pieces counts the frames, units or pages of a file, which may end in the middle of one: it was being written.
func pieces(path string) (n int, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var next func() error
	switch filepath.Ext(path) {
	case ".ivf":
		r, _, err := ivfreader.NewWith(bytes.NewReader(data))
		if err != nil {
			return 0, err
		}
		next = func() error { _, _, err := r.ParseNextFrame(); return err }
	case ".h264":
		r, err := h264reader.NewReader(bytes.NewReader(data))
		if err != nil {
			return 0, err
		}
		next = func() error { _, err := r.NextNAL(); return err }
	case ".ogg":
		r, _, err := oggreader.NewWith(bytes.NewReader(data))
		if err != nil {
			return 0, err
		}
		next = func() error { _, _, err := r.ParseNextPage(); return err }
	default:
		return 0, fmt.Errorf("a file of unknown format: %s", path)
	}
	for {
		switch err := next(); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return n, nil
		case err != nil && n > 0 && strings.Contains(err.Error(), "incomplete"):
			return n, nil
		case err != nil:
			return n, err
		}
		n++
	}
}

// Of the three sizes that the browser sends comes back the one that is chosen.
func TestSimulcastPage(t *testing.T) {
	p := mediaChromium(t).open(t, startExample(t, "simulcast"))
	p.click("#start")
	p.sees("#state", "connected")
	for rid, size := range map[string]string{"q": "320 × 180", "h": "640 × 360", "f": "1280 × 720"} {
		waitFor(t, "size "+rid, func() bool {
			p.click(`.size[value="` + rid + `"]`)
			var shown string
			p.call(&shown, `() => new Promise(resolve => setTimeout(() => resolve(document.getElementById("shown").textContent), 300))`)
			return shown == size
		})
		p.moves("#back")
	}
	p.picture("simulcast")
}

// One publishes, two watch; another publishes when the first has gone.
func TestBroadcastPage(t *testing.T) {
	c := mediaChromium(t)
	url := startExample(t, "broadcast")
	publisher, one, two := c.open(t, url), c.open(t, url), c.open(t, url)
	publisher.click("#publish")
	publisher.sees("#state", "publish: connected")
	for _, viewer := range []*tab{one, two} {
		viewer.click("#watch")
		viewer.moves("#picture")
	}
	two.click("#publish")
	two.sees("#state", "somebody publishes already")
	publisher.call(nil, `() => pc.close()`)
	waitFor(t, "another publisher", func() bool {
		two.click("#publish")
		var connected bool
		two.call(&connected, `() => new Promise(resolve => setTimeout(() => resolve(pc.connectionState === "connected"), 500))`)
		return connected
	})
	one.moves("#picture")
}

// Frames that are encrypted end to end are shown with the key, and are not without.
func TestInsertableStreamsPage(t *testing.T) {
	c := mediaChromium(t)
	url, said := startProgram(t, "insertable-streams")
	key := regexp.MustCompile(`#(\S+)`).FindStringSubmatch(said)
	if key == nil {
		t.Fatalf("there is no key in %q", said)
	}
	p := c.open(t, url+"#"+key[1])
	p.click("#start")
	p.moves("#picture")
	p.sees("#frames", "frames opened, ")
	p.picture("insertable-streams")

	wrong := c.open(t, url+"#AAAAAAAAAAAAAAAAAAAAAA")
	wrong.click("#start")
	waitFor(t, "frames that are dropped", func() bool {
		var text string
		wrong.call(&text, `() => document.getElementById("frames").textContent`)
		return regexp.MustCompile(`^0 frames opened, [1-9]\d`).MatchString(text)
	})
}

// Three meet in a conference, see each other, leave and come back.
func TestConferencePage(t *testing.T) {
	c := mediaChromium(t)
	url := startExample(t, "conference")
	names := []string{"Ann", "Ben", "Cleo"}
	tabs := make([]*tab, len(names))
	join := func(i int) {
		tabs[i].fill("#name", names[i])
		tabs[i].click("#enter")
		tabs[i].sees("#state", "connected")
	}
	for i := range names {
		tabs[i] = c.open(t, url)
		join(i)
	}
	see := func(i int, others ...int) {
		t.Helper()
		for _, other := range others {
			name := names[other]
			if other == i {
				name += " (you)"
			}
			tabs[i].sees("figcaption", name)
			tabs[i].call(nil, `(name) => {
				for (const caption of document.querySelectorAll("figcaption")) {
					caption.parentElement.classList.toggle("wanted", caption.textContent === name);
				}
			}`, name)
			tabs[i].moves("figure.wanted video")
		}
		waitFor(t, fmt.Sprintf("%s sees %d tiles", names[i], len(others)), func() bool {
			var tiles int
			tabs[i].call(&tiles, `() => document.querySelectorAll("figure").length`)
			return tiles == len(others)
		})
	}
	for i := range names {
		see(i, 0, 1, 2)
	}
	tabs[0].picture("conference")
	for range 2 {
		tabs[1].click("#leave")
		see(2, 0, 2)
		join(1)
		see(2, 0, 1, 2)
	}
	// Those who left have left their places in the description: four m-lines of others and one's own two, and the channels'.
	var lines int
	tabs[0].call(&lines, `() => pc.localDescription.sdp.split("\r\nm=").length - 1`)
	if lines > 7 {
		t.Errorf("the description has %d m-lines", lines)
	}
	// The pages offer, to restart ICE, while the program does, because somebody comes and goes. The pictures go on.
	for range 3 {
		for _, i := range []int{0, 2} {
			tabs[i].call(nil, `() => pc.restartIce()`)
		}
		tabs[1].click("#leave")
		join(1)
	}
	for i := range names {
		see(i, 0, 1, 2)
	}
	waitFor(t, "the end of the restarts", func() bool {
		var done bool
		tabs[0].call(&done, `() => pc.signalingState === "stable" && pc.iceConnectionState === "connected"`)
		return done
	})
	tabs[0].do("leaving by closing the page", chromedp.Navigate("about:blank"))
	see(1, 1, 2)
}
