// Command bench measures this stack and pion/webrtc side by side in one run and prints a table with ratios.
//
//	go run .                 # all rows, medians of five runs
//	go run . -short          # a few seconds: that everything still runs
//	go run . -rows 'bulk'    # some rows
//
// Each measurement is a process of its own, so that no heap disturbs another, and the stacks take turns. Both are driven by the same code
// through the interface [peer]; everything runs on loopback.
package main
