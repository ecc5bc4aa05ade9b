package ice

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pion/stun/v4"
)

// MESSAGE-INTEGRITY is what pion/stun makes and accepts, for passwords of all lengths that a description may have (RFC 8839 section 5.4), also those that HMAC
// hashes first, and for messages with attributes of all lengths.
func TestIntegrity(t *testing.T) {
	for _, n := range []int{0, 1, 22, 63, 64, 65, 256} {
		password := strings.Repeat("p", n)
		theirs := stun.NewShortTermIntegrity(password)
		for size := range 300 {
			ours, want := integrityMessage(size), integrityMessage(size)
			addIntegrity(ours, password)
			if err := theirs.AddTo(want); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(ours.Raw, want.Raw) {
				t.Fatalf("a password of %d bytes, an attribute of %d: %x, pion has %x", n, size, ours.Raw, want.Raw)
			}
			if err := stun.Fingerprint.AddTo(ours); err != nil {
				t.Fatal(err)
			}
			raw := bytes.Clone(ours.Raw)
			if err := ours.Decode(); err != nil || !hasIntegrity(ours, password) || theirs.Check(ours) != nil {
				t.Fatalf("a password of %d bytes, an attribute of %d: not accepted", n, size)
			}
			if !bytes.Equal(raw, ours.Raw) {
				t.Fatal("the message was changed")
			}
		}
	}
}

// No bit that it protects can be changed, nor one of its own; and there is no message without it.
func TestIntegrityOfDamaged(t *testing.T) {
	m := integrityMessage(33)
	if hasIntegrity(m, "password") {
		t.Error("a message has it without the attribute")
	}
	addIntegrity(m, "password")
	for _, other := range []string{"", "passwore", "password ", "password\x01"} {
		if hasIntegrity(m, other) {
			t.Errorf("the password %q is accepted", other)
		}
	}
	for i := range 8 * len(m.Raw) {
		damaged := stun.Message{Raw: bytes.Clone(m.Raw)}
		damaged.Raw[i/8] ^= 1 << (i % 8)
		// A length that is changed cuts off the attribute, or is not that of the message, which decode has seen.
		if damaged.Decode() == nil && i/8 != 2 && i/8 != 3 && hasIntegrity(&damaged, "password") {
			t.Errorf("bit %d of byte %d can be changed", i%8, i/8)
		}
	}
	for n := range 20 {
		short := integrityMessage(33)
		short.Add(stun.AttrMessageIntegrity, m.Raw[len(m.Raw)-20:][:n])
		if hasIntegrity(short, "password") {
			t.Errorf("%d bytes are enough", n)
		}
	}
}

func integrityMessage(size int) *stun.Message {
	m := stun.NewWithOptions()
	m.Type, m.TransactionID = stun.BindingRequest, [12]byte{1, 2, 3}
	m.WriteHeader()
	m.Add(stun.AttrUsername, bytes.Repeat([]byte{'u'}, size))
	m.Add(stun.AttrPriority, []byte{1, 2, 3, 4})
	return m
}
