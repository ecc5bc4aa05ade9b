//go:build !race

package rtc_test

const underRace = false
