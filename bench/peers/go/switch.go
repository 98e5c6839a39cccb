// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"time"
)

// Goroutines of one P that runtime.Gosched to each other in turn.
func turns(goroutines, each int) (switches int) {
	last := -1 // one P: right within a few
	var all sync.WaitGroup
	all.Add(goroutines)
	for g := 0; g < goroutines; g++ {
		go func(me int) {
			for i := 0; i < each; i++ {
				if last != me {
					last = me
					switches++
				}
				runtime.Gosched()
			}
			all.Done()
		}(g)
	}
	all.Wait()
	return switches
}

func measureSwitch(name string) {
	n, goroutines := number("n", 1000000), number("fibers", 2)
	turns(goroutines, 10)
	start := time.Now()
	switches := turns(goroutines, n/goroutines)
	spent := time.Since(start)
	all := n / goroutines * goroutines
	if switches < all-all/10 { // preemption by the clock upsets the order for a while
		die("%s: %d switches, not %d", name, switches, all)
	}
	line(name, 1, float64(spent)/float64(all), "ns", 1)
}
