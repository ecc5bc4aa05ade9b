package mux

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/pion/stun/v4"
)

// request builds a Binding request as ICE does.
func request(username string) []byte {
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(username), stun.NewShortTermIntegrity("password"), stun.Fingerprint)
	if err != nil {
		panic(err)
	}
	return m.Raw
}

// change returns a changed copy.
func change(b []byte, f func(b []byte) []byte) []byte { return f(bytes.Clone(b)) }

// attr appends an attribute, without padding it, and counts it.
func attr(b []byte, kind uint16, value string) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20))
	return b
}

func TestRequestUfrag(t *testing.T) {
	header := change(request("abcd:efgh"), func(b []byte) []byte { return b[:20] })
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"a check", request("abcd:efgh"), "abcd"},
		{"all ice-chars", request("azAZ09+/:x"), "azAZ09+/"},
		{"the longest", request(strings.Repeat("u", 256) + ":x"), strings.Repeat("u", 256)},
		{"after another attribute, padded", attr(attr(bytes.Clone(header), 0x8022, "soft\x00\x00\x00\x00"), 6, "abcd:efgh"), "abcd"},
		{"the first USERNAME counts", attr(attr(bytes.Clone(header), 6, "abcd:eee"), 6, "wxyz:eee"), "abcd"},
		{"a colon only", attr(bytes.Clone(header), 6, "abcd:"), "abcd"},

		{"nothing", nil, ""},
		{"a byte", []byte{0}, ""},
		{"a header without attributes", change(header, func(b []byte) []byte { b[2], b[3] = 0, 0; return b }), ""},
		{"cut", request("abcd:efgh")[:30], ""},
		{"something after the message", append(request("abcd:efgh"), 0), ""},
		{"no magic cookie", change(request("abcd:efgh"), func(b []byte) []byte { b[4] ^= 1; return b }), ""},
		{"an indication", change(request("abcd:efgh"), func(b []byte) []byte { b[1] = 0x11; return b }), ""},
		{"a response", change(request("abcd:efgh"), func(b []byte) []byte { b[0] = 1; return b }), ""},
		{"an error response", change(request("abcd:efgh"), func(b []byte) []byte { b[0], b[1] = 1, 0x11; return b }), ""},
		{"another method", change(request("abcd:efgh"), func(b []byte) []byte { b[1] = 3; return b }), ""},
		{"not STUN", change(request("abcd:efgh"), func(b []byte) []byte { b[0] = 0x80; return b }), ""},
		{"no colon", request("abcdefgh"), ""},
		{"no username fragment", request(":efgh"), ""},
		{"too short", request("abc:efgh"), ""},
		{"too long", attr(bytes.Clone(header), 6, strings.Repeat("u", 257)+":x"), ""},
		{"long and no colon", attr(bytes.Clone(header), 6, strings.Repeat("u", 500)), ""},
		{"not ice-char", request("ab d:efgh"), ""},
		{"a null byte", request("abc\x00:efgh"), ""},
		{"an attribute that is longer than the message", change(request("abcd:efgh"), func(b []byte) []byte { b[22], b[23] = 0xff, 0xff; return b }), ""},
		{"an attribute that ends in its padding", attr(attr(bytes.Clone(header), 0x8022, "x"), 0x8022, "x"), ""},
	} {
		if got := requestUfrag(c.b); string(got) != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Whatever arrives: no panic, and what is found is what a STUN library finds.
func FuzzRequestUfrag(f *testing.F) {
	for _, b := range [][]byte{request("abcd:efgh"), request("a:b"), request(strings.Repeat("u", 256) + ":"), {0, 1}, nil} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		got := requestUfrag(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram was changed")
		}
		if got == nil {
			return
		}
		if !validUfrag(string(got)) || !beginsLikeSTUN(b) {
			t.Fatalf("%q is no username fragment", got)
		}
		m := &stun.Message{Raw: bytes.Clone(b)}
		if err := m.Decode(); err != nil {
			return // a library wants more of what comes after USERNAME
		}
		username, err := m.Get(stun.AttrUsername)
		if err != nil || m.Type != stun.BindingRequest {
			t.Fatalf("found %q in %v: %v", got, m, err)
		}
		if first, _, ok := strings.Cut(string(username), ":"); !ok || first != string(got) {
			t.Fatalf("found %q, the library %q", got, username)
		}
	})
}

func BenchmarkRequestUfrag(b *testing.B) {
	m := request("abcdefgh:ijklmnop")
	b.ReportAllocs()
	for range b.N {
		if requestUfrag(m) == nil {
			b.Fatal("not found")
		}
	}
}
