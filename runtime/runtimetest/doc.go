// Package runtimetest proves that a [runtime.Runtime] keeps the promises of package runtime. A runtime's own test is
//
//	func TestRuntime(t *testing.T) {
//		runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
//			rt := myruntime.New()
//			lo := netip.MustParseAddr("127.0.0.1")
//			return runtimetest.Harness{A: rt, B: rt, AddrA: lo, AddrB: lo, Wait: runtimetest.RealTime}
//		})
//	}
//
// The tests speak to the runtime by small loops that record what they are told, and that complain about any call after Released. Each
// [Test] quotes the promise that it proves. What a runtime may do either way is not tested: it may call Turn early, join several Wakes
// into one Turn, and call Dispatch while another Dispatch of the loop is running or wait until that one has returned.
package runtimetest
