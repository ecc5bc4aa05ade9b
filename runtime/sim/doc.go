// Package sim is a runtime in virtual time over a simulated network. Any number of connections live in one [World], on [Host]s that are
// joined by paths with delay, jitter, loss, duplication, reordering, a bottleneck and an MTU, and that may sit behind [NAT]s. Nothing
// takes real time but computing: an hour of an idle call is over in milliseconds.
//
//	w := sim.New(sim.Config{Seed: 7, Link: sim.Link{Delay: 20 * time.Millisecond, Loss: 0.01}})
//	defer w.Close()
//	alice, bob := w.Host("alice"), w.Host("bob")
//	// ... make connections with the runtimes alice and bob, let them exchange descriptions ...
//	if !w.RunUntil(func() bool { return connected }, 10*time.Second) {
//		t.Fatal("no connection after ten seconds")
//	}
//	w.Partition(alice, bob, true)
//	w.Run(time.Minute)
//
// # Time
//
// The clock stands still unless [World.Step], [World.Run] or [World.RunUntil] is called; then it jumps from one event to the next.
// Their caller is the simulation: it calls the loops' Receive and Turn, in the order of the virtual time at which things are due, and
// for things due at the same time in the order in which they came to be.
//
// # Handlers and actors
//
// Each Dispatch of a loop, and each actor that [World.Go] starts, is a coroutine: it has a goroutine, but the simulation waits while it
// runs. [World.Sleep] blocks it in virtual time, and lets the simulation go on until its time has come. So a scenario is written as a
// plain program:
//
//	w.Go("caller", func() {
//		offer, err := pc.CreateOffer(nil)
//		...
//		w.Sleep(200 * time.Millisecond)
//		dc.SendText("hello")
//	})
//
// # What reproduces
//
// Of two runs of one program with the same Seed all datagrams, their times, and all events are the same; [World.Trace] compares them.
// Three things are outside: what a program takes from elsewhere (the wall clock, another source of randomness, the order of a map), what
// goroutines that the simulation does not know do while it runs, and a handler or actor that waits for something else than Sleep, such as
// a channel. The simulation goes on without such a one when it has waited for Config.Handoff of real time. From then on the clock does
// not move while that goroutine computes, so it does go on at the virtual time at which it got what it waited for, but beside the
// simulation and not in its order. A goroutine that merely computes for long is waited for much longer, so that a slow machine sees the
// same simulation.
//
// A simulation that cannot go on panics rather than hangs: when a loop has very many turns at one instant, as it has when it asks for a
// Turn at a time that has passed and does nothing then, and when two loops without end answer each other over a path without delay.
package sim
