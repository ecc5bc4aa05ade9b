package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Promise: a plot is well-formed, has its texts, and draws every point inside its frame, larger values higher.
func TestSVG(t *testing.T) {
	for _, logarithmic := range []bool{false, true} {
		c := chart{
			title: "a < b & c", x: "size", y: "Mbit/s", logY: logarithmic,
			ticks: []tick{{0, "none"}, {1, "some"}, {4, "many"}},
			series: []series{
				{name: "one", points: []point{{4, 9000}, {0, 3}, {1, 70}}},
				{name: "two", color: 1, dashed: true, points: []point{{0, 8900}}},
				{name: "never measured"},
			},
		}
		text := string(c.svg())
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{"a &lt; b &amp; c", ">size<", ">Mbit/s<", ">none<", ">some<", ">many<", ">one<", ">two<"} {
			if !strings.Contains(text, want) {
				t.Errorf("the plot has no %q", want)
			}
		}
		for _, m := range regexp.MustCompile(` (?:x|y|x1|x2|y1|y2)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if v, err := strconv.ParseFloat(m[1], 64); err != nil || v < 0 || v > chartWidth {
				t.Errorf("something is at %q", m[0])
			}
		}
		if strings.Contains(text, "never") {
			t.Error("a series without points has a name")
		}
		var dots [][2]float64
		for _, m := range regexp.MustCompile(`cx="([0-9.-]+)" cy="([0-9.-]+)"`).FindAllStringSubmatch(text, -1) {
			x, err := strconv.ParseFloat(m[1], 64)
			y, err2 := strconv.ParseFloat(m[2], 64)
			if err != nil || err2 != nil || x < left || x > right || y < top || y > bottom {
				t.Errorf("a point is at %v, %v", m[1], m[2])
			}
			dots = append(dots, [2]float64{x, y})
		}
		if len(dots) != 4 || dots[0][0] >= dots[1][0] || dots[1][0] >= dots[2][0] || dots[0][1] <= dots[1][1] || dots[1][1] <= dots[2][1] {
			t.Errorf("the points are at %v", dots)
		}
	}
}

// Promise: names of series that end at one place do not cover each other, nor leave the plot.
func TestLabels(t *testing.T) {
	for _, at := range []float64{bottom, top, (top + bottom) / 2} {
		c := chart{}
		for i := range 6 {
			c.series = append(c.series, series{points: []point{{0, at + float64(i%3)}}})
		}
		labels := c.labels(func(v float64) float64 { return v })
		slices.Sort(labels)
		for i, l := range labels {
			if l > bottom || i > 0 && l-labels[i-1] < labelHeight-1e-9 {
				t.Errorf("names at %v", labels)
				break
			}
		}
	}
}

// Promise: an axis has a handful of marks and reaches beyond its values.
func TestScale(t *testing.T) {
	for _, most := range []float64{0.7, 1, 3, 9.99, 10, 47, 338, 940, 1000, 12345} {
		c := chart{series: []series{{points: []point{{0, most}, {1, most / 3}}}}}
		low, high, marks := c.scale()
		if low != 0 || high < most || len(marks) < 4 || len(marks) > 12 || marks[len(marks)-1] != high {
			t.Errorf("up to %v: from %v to %v by %v", most, low, high, marks)
		}
		c.logY = true
		low, high, marks = c.scale()
		if math.Pow(10, low) > most/3 || math.Pow(10, high) < most || len(marks) < 4 {
			t.Errorf("up to %v by logarithms: from %v to %v by %v", most, low, high, marks)
		}
	}
}

func TestGrouped(t *testing.T) {
	for v, want := range map[float64]string{0.5: "0.5", 999: "999", 1000: "1\u202f000", 12345: "12\u202f345", 1e6: "1\u202f000\u202f000"} {
		if got := grouped(v); got != want {
			t.Errorf("%v is %q", v, got)
		}
	}
}
