package main

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
)

// chart is a plot of lines over marked positions.
type chart struct {
	title, x, y string
	logY        bool // otherwise the axis begins at 0
	ticks       []tick
	series      []series
}

type tick struct {
	at    float64
	label string
}

type series struct {
	name   string
	color  int
	dashed bool
	points []point
}

type point struct{ x, y float64 }

// Where things are, in pixels.
const (
	chartWidth, chartHeight      = 760, 400
	left, right, top, bottom     = 70, 540, 50, 340
	labelHeight                  = 17
	labelX, titleY, axisX, axisY = 556, 28, 384, 20
)

// svg draws the chart on a ground of its own, so that it can be read on any page.
func (c *chart) svg() []byte {
	for i := range c.series {
		slices.SortFunc(c.series[i].points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">
<title>%s</title>
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; fill: #1f2328 }
.ground { fill: #ffffff; stroke: #d0d7de } .title { font-weight: 600; font-size: 15px } .grid { stroke: #d8dee4 }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round } .dashed { stroke-dasharray: 6 4 }
.c0 { stroke: #0969da } .c1 { stroke: #8c959f } .c2 { stroke: #bc4c00 } .c3 { stroke: #1a7f37 } .c4 { stroke: #8250df }
.dot.c0 { fill: #0969da } .dot.c1 { fill: #8c959f } .dot.c2 { fill: #bc4c00 } .dot.c3 { fill: #1a7f37 } .dot.c4 { fill: #8250df }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .ground { fill: #0d1117; stroke: #30363d } .grid { stroke: #30363d }
.c0 { stroke: #58a6ff } .c1 { stroke: #8b949e } .c2 { stroke: #f0883e } .c3 { stroke: #3fb950 } .c4 { stroke: #bc8cff }
.dot.c0 { fill: #58a6ff } .dot.c1 { fill: #8b949e } .dot.c2 { fill: #f0883e } .dot.c3 { fill: #3fb950 } .dot.c4 { fill: #bc8cff }
}
</style>
<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="6"/>
<text class="title" x="%d" y="%d">%s</text>
`, chartWidth, chartHeight, html.EscapeString(c.title), chartWidth-1, chartHeight-1, axisY, titleY, html.EscapeString(c.title))

	x := func(v float64) float64 {
		first, last := c.ticks[0].at, c.ticks[len(c.ticks)-1].at
		return left + 20 + (v-first)/(last-first)*(right-left-40)
	}
	low, high, marks := c.scale()
	y := func(v float64) float64 {
		if c.logY {
			v = math.Log10(v)
		}
		return bottom - (v-low)/(high-low)*(bottom-top)
	}
	for _, m := range marks {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1[3]f"/><text x="%[4]d" y="%.1[5]f" text-anchor="end">%[6]s</text>`+"\n",
			left, right, y(m), left-8, y(m)+4, html.EscapeString(grouped(m)))
	}
	for _, t := range c.ticks {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1[1]f" y1="%d" y2="%d"/><text x="%.1[1]f" y="%[4]d" text-anchor="middle">%[5]s</text>`+"\n",
			x(t.at), bottom, bottom+5, bottom+21, html.EscapeString(t.label))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+right)/2, axisX, html.EscapeString(c.x))
	fmt.Fprintf(&b, `<text transform="translate(%d %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", axisY, (top+bottom)/2, html.EscapeString(c.y))

	labels := c.labels(y)
	for i, s := range c.series {
		if len(s.points) == 0 {
			continue
		}
		class := fmt.Sprintf("c%d", s.color)
		fmt.Fprintf(&b, `<polyline class="line %s%s" points="`, class, dashes(s.dashed))
		for _, p := range s.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p.x), y(p.y))
		}
		fmt.Fprint(&b, `"/>`)
		for _, p := range s.points {
			fmt.Fprintf(&b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="3.5"/>`, class, x(p.x), y(p.y))
		}
		last := s.points[len(s.points)-1]
		fmt.Fprintf(&b, `<path class="grid" fill="none" d="M%.1f %.1f L%d %.1f"/><text x="%d" y="%.1f">%s</text>`+"\n",
			x(last.x)+6, y(last.y), labelX-4, labels[i], labelX, labels[i]+4, html.EscapeString(s.name))
	}
	fmt.Fprintln(&b, "</svg>")
	return b.Bytes()
}

func dashes(dashed bool) string {
	if dashed {
		return " dashed"
	}
	return ""
}

// labels is where the name of each series stands: beside its last point, but below the name above it.
func (c *chart) labels(y func(float64) float64) []float64 {
	at := make([]float64, len(c.series))
	var order []int
	for i, s := range c.series {
		if len(s.points) > 0 {
			at[i] = y(s.points[len(s.points)-1].y)
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(at[i], at[j]) })
	for n := 1; n < len(order); n++ {
		at[order[n]] = max(at[order[n]], at[order[n-1]]+labelHeight)
	}
	// What was pushed out at the bottom pushes back.
	for n, floor := len(order)-1, float64(bottom); n >= 0; n, floor = n-1, at[order[n]]-labelHeight {
		at[order[n]] = min(at[order[n]], floor)
	}
	return at
}

// scale is the range of the y axis, in logarithms if it is logarithmic, and the values that are marked.
func (c *chart) scale() (low, high float64, marks []float64) {
	least, most := math.Inf(1), math.Inf(-1)
	for _, s := range c.series {
		for _, p := range s.points {
			least, most = min(least, p.y), max(most, p.y)
		}
	}
	if math.IsInf(least, 1) {
		least, most = 1, 1
	}
	if c.logY {
		low, high = math.Floor(math.Log10(least)), math.Ceil(math.Log10(most)+1e-9)
		for e := low; e <= high; e++ {
			for _, m := range []float64{1, 2, 5} {
				if e < high || m == 1 {
					marks = append(marks, m*math.Pow(10, e))
				}
			}
		}
		return low, high, marks
	}
	// The step is 1, 2 or 5 times a power of ten, so that there are from four to ten of them.
	step := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, m := range []float64{5, 2} {
		if step*m <= most/4 {
			step *= m
			break
		}
	}
	for v := 0.0; v < most+step; v += step {
		marks, high = append(marks, v), v
	}
	return 0, high, marks
}

// grouped is a number with its thousands apart.
func grouped(v float64) string {
	s := fmt.Sprintf("%.4g", v)
	if v >= 10_000 {
		s = fmt.Sprintf("%.0f", v)
	}
	for i := len(s) - 3; i > 0 && v >= 1000; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}
