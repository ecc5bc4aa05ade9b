//go:build !portable

package loop_test

const portable = false
