// Command bench measures this stack and pion/webrtc side by side in one run and prints a table with ratios.
//
//	go run . -short                            # every row for a moment: that all still runs
//	go run . -list                             # the rows, and how long they take
//	go run . -rows 'bulk|small'                # some rows
//	go run . -all -docs ..                     # everything, into docs/performance and README.md
//	go run . -rows setup -docs .. -merge       # some rows anew, the others as they were measured before
//	go run . -draw -docs ..                    # only the table and the plots
//
// Each measurement is a process of its own, so that no heap disturbs another, and the stacks take turns. Both are driven by the same code
// through the interfaces [peer] and [channel]. docs/performance.md tells the method.
package main
