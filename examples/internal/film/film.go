// Package film is something to show where there is no camera: four seconds of a test pattern and of a tone. They were made by
//
//	ffmpeg -f lavfi -i testsrc2=size=320x240:rate=20:duration=4 -c:v libvpx -b:v 200k -g 40 -error-resilient 1 -an pattern.ivf
//	ffmpeg -f lavfi -i sine=frequency=220:beep_factor=4:duration=4 -c:a libopus -b:a 24k -ac 2 -page_duration 20000 tone.ogg
package film

import _ "embed"

var (
	// Pattern is VP8 in IVF, 320 by 240 at 20 frames a second, a keyframe every two seconds.
	//
	//go:embed pattern.ivf
	Pattern []byte
	// Tone is Opus in Ogg, a packet of 20 ms in each page.
	//
	//go:embed tone.ogg
	Tone []byte
)
