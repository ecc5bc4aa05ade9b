//go:build !linux || portable

package std

// deadlineAllocs is what a wait that ends by its deadline allocates: package net makes an error for each.
const deadlineAllocs = 1.1
