package jsep

import "testing"

func TestPlainNegotiation(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	if a.NegotiationNeeded() {
		t.Fatal("negotiation should not be needed before there is anything to negotiate")
	}
	a.NeedDataChannel()
	if !a.NegotiationNeeded() {
		t.Fatal("negotiation should be needed for the first data channel")
	}
	ca, cb := negotiate(t, a, b)
	ta, tb := ca.Transport, cb.Transport
	if ta == nil || tb == nil {
		t.Fatal("both should have a transport")
	}
	if ta.LocalUfrag != "alice1" || ta.RemoteUfrag != "bobby1" || tb.LocalUfrag != "bobby1" || tb.RemoteUfrag != "alice1" {
		t.Fatalf("credentials: %+v, %+v", ta, tb)
	}
	if !ta.ICEControlling || tb.ICEControlling {
		t.Fatal("the offerer should control")
	}
	if ta.DTLSRole != RoleServer || tb.DTLSRole != RoleClient {
		t.Fatal("the answerer should be the DTLS client")
	}
	if !ta.Answered || !tb.Answered || ta.LocalRestart || ta.RemoteRestart || tb.LocalRestart || tb.RemoteRestart {
		t.Fatalf("first negotiation: %+v, %+v", ta, tb)
	}
	if a.NegotiationNeeded() || b.NegotiationNeeded() {
		t.Fatal("nothing should remain to be negotiated")
	}
}
