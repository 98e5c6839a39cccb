// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sort"
	"sync"
	"time"
)

// As in batch_work.h.
func measureBatches(name string, workers int, run func(in, out []int)) {
	batch := number("batch", 1000)
	batches := number("n", 100000) / batch
	pause := time.Duration(number("pause", 0))
	in, out := make([]int, batch), make([]int, batch)
	times := make([]int, 0, batches)
	sum, total := 0, 0

	for i := -1; i < batches; i++ { // the first one warms up
		for k := range in {
			in[k] = i*batch + k
		}
		if pause > 0 {
			time.Sleep(pause)
		}
		start := time.Now()
		run(in, out)
		spent := int(time.Since(start))
		for k := range in {
			sum += out[k] - in[k]
		}
		if i >= 0 {
			times = append(times, spent)
			total += spent
		}
	}
	expect(name, sum, (batches+1)*batch)
	value := float64(total) / float64(batches*batch)
	if pause > 0 {
		sort.Ints(times)
		value = float64(times[batches/2]) / float64(batch)
	}
	line(name, workers, value, "ns", 1)
}

func task(n int) int { return n + 1 }

// start: `go`, and a WaitGroup for the batch.
func goBatch(in, out []int) {
	var all sync.WaitGroup
	all.Add(len(in))
	for i := range in {
		go func(i int) {
			out[i] = task(in[i])
			all.Done()
		}(i)
	}
	all.Wait()
}

// start-future: `go`, and a channel of one result each.
func futureBatch(in, out []int) {
	futures := make([]chan int, len(in))
	for i := range in {
		future := make(chan int, 1)
		futures[i] = future
		go func(n int) { future <- task(n) }(in[i])
	}
	for i := range out {
		out[i] = <-futures[i]
	}
}

// start-wait: all of the batch wait at a channel that is closed when they are there.
func waitingBatch(in, out []int) {
	var arrived, all sync.WaitGroup
	gate := make(chan struct{})
	arrived.Add(len(in))
	all.Add(len(in))
	for i := range in {
		go func(i int) {
			arrived.Done()
			<-gate
			out[i] = task(in[i])
			all.Done()
		}(i)
	}
	arrived.Wait()
	close(gate)
	all.Wait()
}

func measureStart(name string, workers int) {
	switch name {
	case "start-wait":
		measureBatches(name, workers, waitingBatch)
	case "start-future":
		measureBatches(name, workers, futureBatch)
	default:
		measureBatches(name, workers, goBatch)
	}
}

// submit: a pool of goroutines that a channel feeds, and a WaitGroup for the batch. The main
// goroutine is outside the pool, but Go has no thread for it besides GOMAXPROCS: it gets one more.
func measureSubmit(name string, workers int) {
	type job struct{ in, out *int }
	jobs := make(chan job, 1024)
	var all sync.WaitGroup
	runtime.GOMAXPROCS(workers + 1)
	for w := 0; w < workers; w++ {
		go func() {
			for mine := range jobs {
				*mine.out = task(*mine.in)
				all.Done()
			}
		}()
	}
	measureBatches(name, workers, func(in, out []int) {
		all.Add(len(in))
		for i := range in {
			jobs <- job{&in[i], &out[i]}
		}
		all.Wait()
	})
	close(jobs)
}
