// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		die("getrusage: %v", err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// A pool of goroutines that has worked and has nothing to do now.
func measureIdle(name string, workers int) {
	jobs := make(chan int)
	runtime.GOMAXPROCS(workers + 1)
	var all sync.WaitGroup
	for w := 0; w < workers; w++ {
		go func() {
			for range jobs {
				all.Done()
			}
		}()
	}
	all.Add(1000)
	for i := 0; i < 1000; i++ {
		jobs <- i
	}
	all.Wait()
	time.Sleep(100 * time.Millisecond)
	start := cpuTime()
	time.Sleep(time.Duration(number("ms", 1000)) * time.Millisecond)
	used := cpuTime() - start
	line(name, workers, float64(used)/1e3/float64(number("ms", 1000))*1e3, "us/s", 1)
}

func resident() int {
	file, err := os.Open("/proc/self/statm")
	if err != nil {
		die("%v", err)
	}
	defer file.Close()
	var size, pages int
	if _, err := fmt.Fscan(file, &size, &pages); err != nil {
		die("/proc/self/statm: %v", err)
	}
	return pages * os.Getpagesize()
}

// n goroutines that all wait at one channel; it is closed, they end.
func parked(n int) (start, end time.Duration, bytes, sum int) {
	var arrived, ended sync.WaitGroup
	gate := make(chan struct{})
	out := make([]byte, n)
	before := resident()
	arrived.Add(n)
	ended.Add(n)
	began := time.Now()
	for i := 0; i < n; i++ {
		go func(i int) {
			arrived.Done()
			<-gate
			out[i] = 1
			ended.Done()
		}(i)
	}
	arrived.Wait()
	start = time.Since(began)
	bytes = resident() - before
	began = time.Now()
	close(gate)
	ended.Wait()
	end = time.Since(began)
	for _, one := range out {
		sum += int(one)
	}
	return start, end, bytes, sum
}

func measureParked(name string, workers int) {
	n, times := number("n", 1000), number("times", 1)
	var starts, ends time.Duration
	bytes := 0
	for i := 0; i < times; i++ {
		start, end, memory, sum := parked(n)
		expect(name, sum, n)
		starts += start
		ends += end
		if i == 0 {
			bytes = memory
		}
	}
	all := float64(n * times)
	line(name+"-start", workers, float64(starts)/all, "ns", n)
	line(name+"-end", workers, float64(ends)/all, "ns", n)
	if times == 1 {
		line(name+"-memory", workers, float64(bytes)/all, "bytes", n)
	}
}
