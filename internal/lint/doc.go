// Package lint holds the source of the module against its own rules: what the
// protocol core may use, which package may import which, what must be documented.
// It is tests only; each rule has a test over the source and one that shows that
// the rule sees an offence.
package lint
