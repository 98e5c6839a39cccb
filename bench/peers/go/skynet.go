// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"time"
)

// A goroutine a fork, a WaitGroup a join: cheaper than the channel of the usual skynet. Of ten
// parts nine are started and the last is called, as in the other variants.
func skynet(first, size int) int {
	if size == 1 {
		return first
	}
	var sums [10]int
	var parts sync.WaitGroup
	parts.Add(9)
	for i := 0; i < 9; i++ {
		go func(i int) {
			sums[i] = skynet(first+i*(size/10), size/10)
			parts.Done()
		}(i)
	}
	sums[9] = skynet(first+9*(size/10), size/10)
	parts.Wait()
	sum := 0
	for _, part := range sums {
		sum += part
	}
	return sum
}

func measureSkynet(name string, workers int) {
	n := number("n", 1000000)
	skynet(0, 1000)
	start := time.Now()
	sum := skynet(0, n)
	spent := time.Since(start)
	expect(name, sum, n*(n-1)/2)
	line(name, workers, float64(spent)/1e6, "ms", sum)
}
