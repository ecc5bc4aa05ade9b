package rtc_test

import (
	"os"
	goruntime "runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/mux"
	"github.com/sansrtc/rtc/runtime/std"
)

// wantGoroutines waits until there are n goroutines and holds that there are not more a moment later.
func wantGoroutines(t *testing.T, why string, n int) {
	t.Helper()
	same := 0
	eventually(t, why, func() bool {
		if goruntime.NumGoroutine() != n {
			same = 0
			return false
		}
		same++
		return same == 10
	})
}

// goroutines counts them once those that are about to end have ended.
func goroutines(t *testing.T) (n int) {
	t.Helper()
	same := 0
	eventually(t, "the number of goroutines settles", func() bool {
		last := n
		if n = goruntime.NumGoroutine(); n != last {
			same = 0
		}
		same++
		return same == 10
	})
	return n
}

// openFiles counts the process's file descriptors; 0 where there is no way to see them.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// Promise 2, one goroutine: a connection that is connected over UDP holds exactly one, a handler that blocks takes another one for as long
// as it does, and Close leaves none.
func TestOneGoroutine(t *testing.T) {
	w := sockets[0]
	first, _ := w.realPair(t, [2]runtime.Runtime{std.Default(), std.Default()}, nil) // opens what all sockets of the process share, which stays
	for _, pc := range first {
		pc.Close()
		<-pc.Done()
	}
	before, files := goroutines(t), openFiles()
	const n = 20
	var pcs []*rtc.PeerConnection
	var recs []*recorder
	for range n {
		pc, rec := w.realPair(t, [2]runtime.Runtime{std.Default(), std.Default()}, nil)
		pcs, recs = append(pcs, pc[:]...), append(recs, rec[:]...)
	}
	wantGoroutines(t, "one for each connection", before+2*n)
	for i := 0; i < len(pcs); i += 2 {
		w.realCall(t, [2]*rtc.PeerConnection(pcs[i:]), [2]*recorder(recs[i:]))
	}
	wantGoroutines(t, "one for each connection with media", before+2*n)
	for i := range recs {
		if err := recs[i].channel(0).SendText("hello"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range recs {
		eventually(t, "hello", func() bool { return recs[i].received() == 1 })
	}
	wantGoroutines(t, "one for each connection that has talked", before+2*n)

	release := make(chan struct{})
	for i := range recs[:n] {
		recs[i].mu.Lock()
		recs[i].on = func(string, *rtc.PeerConnection, *rtc.DataChannel, rtc.DataChannelMessage) { <-release }
		recs[i].mu.Unlock()
		if err := recs[i^1].channel(0).SendText("block"); err != nil {
			t.Fatal(err)
		}
	}
	wantGoroutines(t, "two where the handler blocks", before+2*n+n)
	close(release)
	wantGoroutines(t, "one again", before+2*n)

	for _, pc := range pcs {
		pc.Close()
	}
	for _, pc := range pcs {
		<-pc.Done()
	}
	wantGoroutines(t, "none after Close", before)
	if now := openFiles(); now > files {
		t.Errorf("%d files are open, %d were before", now, files)
	}
}

// realCall adds audio and video to a pair, and lets some of both pass; nobody reads it.
func (w *world) realCall(t testing.TB, pc [2]*rtc.PeerConnection, rec [2]*recorder) (video *source) {
	t.Helper()
	audio := newSource(t, opus, "audio")
	video = newSource(t, vp8, "video")
	if _, err := pc[0].AddTrack(video); err != nil {
		t.Fatal(err)
	}
	if _, err := pc[1].AddTrack(audio); err != nil {
		t.Fatal(err)
	}
	negotiate(t, pc[0], pc[1], nil) // video
	negotiate(t, pc[1], pc[0], nil) // audio
	eventually(t, "tracks", func() bool {
		video.send(10)
		audio.send(1)
		return rec[1].has("track video") && rec[0].has("track audio")
	})
	return video
}

// Promise 2: Close leaves no goroutine, no socket and no memory, however often.
func TestCloseLeavesNothing(t *testing.T) {
	cycles := 150
	if testing.Short() {
		cycles = 30
	}
	for _, w := range sockets { // one after the other: they count what the process has
		t.Run(w.name, func(t *testing.T) {
			ignore := goleak.IgnoreCurrent()
			rts := w.runtimes(t)
			cycle := func() {
				pc, rec := w.realPair(t, rts, nil)
				if err := rec[0].channel(0).Send(make([]byte, 100_000)); err != nil {
					t.Fatal(err)
				}
				eventually(t, "message", func() bool { return rec[1].received() == 1 })
				video := w.realCall(t, pc, rec)
				pc[0].Close()
				pc[1].Close()
				<-pc[0].Done()
				<-pc[1].Done()
				if err := video.WriteRTP(packet(0)); err != nil { // nothing is bound
					t.Error(err)
				}
			}
			for range 20 { // pools and caches fill
				cycle()
			}
			memory, files := heap(), openFiles()
			for range cycles {
				cycle()
			}
			if per := (heap() - memory) / cycles; per > 1024 {
				t.Errorf("%d bytes are left of each pair", per)
			}
			if now := openFiles(); now > files {
				t.Errorf("%d files are open, %d were before", now, files)
			}
			eventually(t, "no loop is left", func() bool { return w.loops(rts) == 0 })
			for _, rt := range rts {
				if m, ok := rt.(*mux.Runtime); ok {
					m.Close() // its workers read the port until then
				}
			}
			if err := goleak.Find(ignore); err != nil {
				t.Error(err)
			}
		})
	}
}

// A connection that is closed and kept holds next to nothing: not the messages it had, not its buffers.
func TestClosedConnectionIsSmall(t *testing.T) {
	for _, w := range sockets { // one after the other: they share the heap
		t.Run(w.name, func(t *testing.T) {
			const n = 20
			rts := w.runtimes(t)
			before := heap()
			var kept []*rtc.PeerConnection
			for range n {
				pc, rec := w.realPair(t, rts, nil)
				for range 10 {
					if err := rec[0].channel(0).Send(make([]byte, 200_000)); err != nil {
						t.Fatal(err)
					}
				}
				w.realCall(t, pc, rec)
				pc[0].Close()
				pc[1].Close()
				<-pc[0].Done()
				<-pc[1].Done()
				for i := range rec {
					rec[i].mu.Lock()
					rec[i].messages, rec[i].tracks = nil, nil
					rec[i].mu.Unlock()
				}
				kept = append(kept, pc[:]...)
			}
			per := (heap() - before) / len(kept)
			t.Logf("%d bytes for each closed connection", per)
			if per > 32<<10 {
				t.Errorf("a closed connection holds %d bytes", per)
			}
			goruntime.KeepAlive(kept)
		})
	}
}
