// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"time"
)

// As in il_chan.c.
const (
	capacity = 128
	sides    = 4
	selected = 8
	stages   = 100
)

func sumBelow(n int) int { return n * (n - 1) / 2 }

func produce(n int, to chan<- int) {
	for i := 0; i < n; i++ {
		to <- i
	}
}

func consume(n int, from <-chan int) (sum int) {
	for i := 0; i < n; i++ {
		sum += <-from
	}
	return sum
}

func passOn(n int, from <-chan int, to chan<- int) {
	for i := 0; i < n; i++ {
		to <- <-from + 1
	}
}

// Run parts side by side; returns nanoseconds.
func together(parts []func()) float64 {
	var all sync.WaitGroup
	all.Add(len(parts))
	start := time.Now()
	for _, part := range parts {
		go func(part func()) {
			part()
			all.Done()
		}(part)
	}
	all.Wait()
	return float64(time.Since(start))
}

func ping(n int) float64 {
	there, back, ball := make(chan int), make(chan int), 0
	spent := together([]func(){
		func() {
			for i := 0; i < n/2; i++ {
				there <- ball + 1
				ball = <-back
			}
		},
		func() { passOn(n/2, there, back) },
	})
	expect("chan-ping", ball, n/2*2)
	return spent / float64(n)
}

func many(name string, n, sides int) float64 {
	channel, each, sums := make(chan int, capacity), n/sides, make([]int, sides)
	parts := []func(){}
	for i := 0; i < sides; i++ {
		sum := &sums[i]
		parts = append(parts,
			func() { produce(each, channel) },
			func() { *sum = consume(each, channel) })
	}
	spent := together(parts)
	all := 0
	for _, sum := range sums {
		all += sum
	}
	expect(name, all, sides*sumBelow(each))
	return spent / float64(each*sides)
}

func overEight(n int) float64 {
	var c [selected]chan int
	each, sum := n/selected, 0
	parts := []func(){}
	for i := range c {
		channel := make(chan int)
		c[i] = channel
		parts = append(parts, func() { produce(each, channel) })
	}
	parts = append(parts, func() {
		for i := 0; i < each*selected; i++ {
			var item int
			select {
			case item = <-c[0]:
			case item = <-c[1]:
			case item = <-c[2]:
			case item = <-c[3]:
			case item = <-c[4]:
			case item = <-c[5]:
			case item = <-c[6]:
			case item = <-c[7]:
			}
			sum += item
		}
	})
	spent := together(parts)
	expect("chan-select", sum, selected*sumBelow(each))
	return spent / float64(each*selected)
}

func pipeline(n int) float64 {
	n /= stages
	sum, first := 0, make(chan int)
	from := first
	parts := []func(){func() { produce(n, first) }}
	for i := 1; i < stages-1; i++ {
		in, out := from, make(chan int)
		parts = append(parts, func() { passOn(n, in, out) })
		from = out
	}
	parts = append(parts, func() { sum = consume(n, from) })
	spent := together(parts)
	expect("chan-pipeline", sum, sumBelow(n)+n*(stages-2))
	return spent / float64(n*stages)
}

func memoryOfEmpty(n int) float64 {
	all := make([]chan int, n)
	for i := range all {
		all[i] = nil // touched
	}
	before := resident()
	for i := range all {
		all[i] = make(chan int)
	}
	return float64(resident()-before) / float64(n)
}

func measureChan(name string, workers int) {
	n, unit := number("n", 1000000), "ns"
	run := map[string]func(int) float64{
		"chan-ping":     ping,
		"chan-one":      func(n int) float64 { return many(name, n, 1) },
		"chan-four":     func(n int) float64 { return many(name, n, sides) },
		"chan-select":   overEight,
		"chan-pipeline": pipeline,
		"chan-memory":   memoryOfEmpty,
	}[name]
	if run == nil {
		die("what=%s: not a line of chan", name)
	}
	if name == "chan-memory" {
		unit = "bytes"
	} else {
		run(n / 100)
	}
	line(name, workers, run(n), unit, 1)
}
