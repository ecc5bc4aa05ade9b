//go:build race

package rtc_test

// underRace is for tests whose size is chosen for the race detector, which makes everything ten times slower.
const underRace = true
