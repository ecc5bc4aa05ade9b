// Package runtimetest proves that a [runtime.Runtime] keeps its promises.
package runtimetest
