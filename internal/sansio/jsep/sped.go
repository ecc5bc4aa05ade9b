package jsep

import (
	"slices"
	"strings"
)

// ICE options say whether a side takes the DTLS handshake in its connectivity checks: draft-hancke-webrtc-sped. There are the draft's name and that of
// libwebrtc, whose attributes on the wire are the same.
var spedNames = [...]string{"sped", "googspedv1"}

// spedOptions is a set of them: bit i stands for spedNames[i].
type spedOptions uint8

// add takes an ICE option.
func (o *spedOptions) add(option string) {
	if i := slices.Index(spedNames[:], option); i >= 0 {
		*o |= 1 << i
	}
}

// iceOptions is the value of a=ice-options in a description of ours. An answer has what the offer has and we know, and nothing else.
//
// Not "ice2": RFC 8445, section 10 has it promise that aggressive nomination is not used, which our ICE agent does not promise.
func (s *Session) iceOptions(typ Type) string {
	names := append(make([]string, 0, 1+len(spedNames)), "trickle")
	for i, name := range spedNames {
		if s.cfg.SPED && (typ == Offer || s.offeredSPED()&(1<<i) != 0) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// offeredSPED are the options of the remote offer, for the transport that is taken of it.
func (s *Session) offeredSPED() spedOptions {
	offer := s.pendingRemote
	if !s.cfg.SPED || offer.taken.carrier < 0 {
		return 0
	}
	return offer.sections[offer.taken.carrier].applies.sped
}

// agreedSPED tells whether both sides of an offer and its answer, whose transport is that of section i, have it.
func agreedSPED(local, remote *description, i int) bool {
	return local.sections[i].applies.sped&remote.sections[i].applies.sped != 0
}
