package channel

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func params(label, protocol string, change func(*Params)) Params {
	p := reliable(label)
	p.Protocol, p.Priority = protocol, 256
	if change != nil {
		change(&p)
	}
	return p
}

// RFC 8832 §5.1, field by field.
func TestOpenKnownAnswers(t *testing.T) {
	for _, tc := range []struct {
		name string
		wire string
		want Params
	}{
		{"reliable", "03 00 0100 00000000 0004 0000 63686174", params("chat", "", nil)},
		{"reliable unordered", "03 80 0100 00000000 0004 0001 63686174 78", params("chat", "x", func(p *Params) { p.Ordered = false })},
		{"retransmits", "03 01 0080 00000003 0000 0000", params("", "", func(p *Params) { p.MaxRetransmits, p.Priority = 3, 128 })},
		{"retransmits unordered", "03 81 0200 00000000 0000 0000", params("", "", func(p *Params) { p.MaxRetransmits, p.Priority, p.Ordered = 0, 512, false })},
		{"lifetime", "03 02 0100 000001f4 0000 0002 7773", params("", "ws", func(p *Params) { p.MaxLifetime = 500 * time.Millisecond })},
		{"lifetime unordered", "03 82 0400 0000ffff 0001 0001 61 62", params("a", "b", func(p *Params) { p.MaxLifetime, p.Priority, p.Ordered = 65535*time.Millisecond, 1024, false })},
	} {
		wire, err := hex.DecodeString(strings.ReplaceAll(tc.wire, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := parseOpen(wire)
		if diff := cmp.Diff(tc.want, got); !ok || diff != "" {
			t.Errorf("%s: parsed %v, (-want +got)\n%s", tc.name, ok, diff)
		}
		if out := appendOpen([]byte("before"), tc.want); string(out) != "before"+string(wire) {
			t.Errorf("%s: wrote %x, want %x", tc.name, out, wire)
		}
	}
}

// RFC 8832 §5.1: "For reliable data channels, this field MUST be set to 0 on
// the sending side and MUST be ignored on the receiving side."
func TestOpenIgnoresLimitOfReliable(t *testing.T) {
	p, ok := parseOpen([]byte{3, 0, 1, 0, 0, 0, 0, 7, 0, 0, 0, 0})
	if diff := cmp.Diff(params("", "", nil), p); !ok || diff != "" {
		t.Errorf("parsed %v\n%s", ok, diff)
	}
}

func TestOpenLimitFitsW3C(t *testing.T) {
	if p, ok := parseOpen([]byte{3, 1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}); !ok || p.MaxRetransmits != 65535 {
		t.Errorf("MaxRetransmits %d, %v", p.MaxRetransmits, ok)
	}
	if p, ok := parseOpen([]byte{3, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}); !ok || p.MaxLifetime != 65535*time.Millisecond {
		t.Errorf("MaxLifetime %v, %v", p.MaxLifetime, ok)
	}
}

func TestOpenLongestNames(t *testing.T) {
	want := params(strings.Repeat("l", 65535), strings.Repeat("p", 65535), nil)
	got, ok := parseOpen(appendOpen(nil, want))
	if !ok || got != want {
		t.Error("65535 bytes of label and of protocol do not come back")
	}
}

var malformed = map[string][]byte{
	"type only":             {3},
	"header cut":            {3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
	"label missing":         {3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0},
	"protocol missing":      {3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1},
	"lengths at their most": {3, 0, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'a'},
	"bytes left over":       {3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'a'},
	"reserved type 0x7f":    {3, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	"reserved type 0xff":    {3, 0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	"unassigned type 0x03":  {3, 0x03, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},
}

func TestOpenMalformed(t *testing.T) {
	for name, wire := range malformed {
		if p, ok := parseOpen(wire); ok {
			t.Errorf("%s: parsed as %+v", name, p)
		}
	}
}

func FuzzParseOpen(f *testing.F) {
	for _, wire := range malformed {
		f.Add(wire)
	}
	f.Add(appendOpen(nil, params("label", "protocol", nil)))
	f.Add(appendOpen(nil, params("", "", func(p *Params) { p.MaxRetransmits, p.Ordered = 9, false })))
	f.Add(appendOpen(nil, params("", "", func(p *Params) { p.MaxLifetime = time.Second })))
	f.Fuzz(func(t *testing.T, wire []byte) {
		p, ok := parseOpen(wire)
		if !ok {
			return
		}
		again := appendOpen(nil, p)
		if q, ok := parseOpen(again); !ok || p != q {
			t.Fatalf("%x gave %+v, written %x gives %+v", wire, p, again, q)
		}
		// Only the reliability parameter may have been brought into range.
		copy(wire[4:8], again[4:8])
		if !bytes.Equal(wire, again) {
			t.Fatalf("%x became %x", wire, again)
		}
	})
}
