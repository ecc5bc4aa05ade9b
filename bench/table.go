package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// table writes everything as Markdown.
func (r *results) table(w io.Writer) {
	fmt.Fprintf(w, "%v.\n", r.Environment)
	var dates, revisions []string
	for _, m := range r.Measured {
		dates, revisions = append(dates, m.Date), append(revisions, m.Revision)
	}
	fmt.Fprintf(w, "Taken on %s at revision %s.\n\n", distinct(dates), distinct(revisions))
	fmt.Fprintln(w, "Medians. × says how many times better sansrtc is than that stack; below 1 the other one is better. Spread is the distance of the largest")
	fmt.Fprintln(w, "sample from the smallest one, of the median, for the stack where it is widest.")
	r.section(w, "Beside pion", beside, rivals, rivals[1:], true)
	r.section(w, "Long paths, in virtual time", paths, tuned, tuned[1:], true)
	r.section(w, "Memory", memory, servers, tuned[1:], true)
	r.section(w, "Forwarding a video, and memory with audio and video", forwarding, servers, tuned[1:], true)
	r.section(w, "The runtimes of sansrtc", beside, slices.Concat(stackNames[:1], runtimes), runtimes, false)
	r.losses(w)
}

func distinct(v []string) string {
	v = slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(v, func(s string) bool { return s == "" }))))
	if len(v) == 0 {
		return "unknown"
	}
	return strings.Join(v, ", ")
}

// section is the rows of a part in which one of others was measured; they are what the first one is compared with.
func (r *results) section(w io.Writer, title string, which part, stacks, others []string, compare bool) {
	var lines []string
	var ratios []string
	if compare {
		ratios = others
	}
	for _, row := range allRows {
		if row.part != which || !slices.ContainsFunc(others, func(s string) bool { return r.index(row.name, s) >= 0 }) {
			continue
		}
		for _, f := range row.figures {
			var widest float64
			l := fmt.Sprintf("| %s | %s |", row.name, f.name)
			for _, s := range stacks {
				v := r.values(row.name, s, f.name)
				widest = max(widest, spread(v))
				l += fmt.Sprintf(" %s |", number(median(v)))
			}
			for _, s := range ratios {
				l += fmt.Sprintf(" %s |", number(r.ratio(row.name, f, s)))
			}
			if widest > 0 {
				l += fmt.Sprintf(" %.0f %% |", 100*widest)
			} else {
				l += " |"
			}
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## %s\n\n| row | figure | %s |", title, strings.Join(stacks, " | "))
	for _, s := range ratios {
		fmt.Fprintf(w, " × %s |", s)
	}
	fmt.Fprintf(w, " spread |\n| --- | --- |%s\n%s\n", strings.Repeat(" ---: |", len(stacks)+len(ratios)+1), strings.Join(lines, "\n"))
}

// ratio says how many times better the first stack is than another one; NaN when one was not measured.
func (r *results) ratio(row string, f figure, stack string) float64 {
	ours, theirs := r.median(row, stackNames[0], f.name), r.median(row, stack, f.name)
	if f.higher {
		return ours / theirs
	}
	return theirs / ours
}

// losses is where pion is ahead.
func (r *results) losses(w io.Writer) {
	var lines []string
	for _, row := range allRows {
		for _, f := range row.figures {
			for _, s := range rivals[1:] {
				if ratio := r.ratio(row.name, f, s); ratio < 1 {
					lines = append(lines, fmt.Sprintf("- %s, %s: %s has %s, sansrtc %s.", row.name, f.name, s,
						number(r.median(row.name, s, f.name)), number(r.median(row.name, stackNames[0], f.name))))
				}
			}
		}
	}
	fmt.Fprint(w, "\n## Where pion is ahead\n\n")
	if len(lines) == 0 {
		lines = []string{"In none of these rows."}
	}
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}

func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
