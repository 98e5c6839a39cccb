// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// As in mutex_work.h, with sync.Mutex between goroutines.
type contestant struct {
	_       [128]byte // no two in a cache line
	rounds  int
	longest time.Duration
}

const holdEvery = 16

type contest struct {
	_       [128]byte
	mutex   sync.Mutex
	counted int
	_       [128]byte
	rounds  int
	hold    bool
	stop    uint32
}

func (c *contest) goesOn(rounds int) bool {
	if c.rounds > 0 {
		return rounds < c.rounds
	}
	return atomic.LoadUint32(&c.stop) == 0
}

func (c *contest) compete(me *contestant) {
	rounds := 0
	for c.goesOn(rounds) {
		c.mutex.Lock()
		c.counted++
		if c.hold && rounds%holdEvery == 0 {
			runtime.Gosched()
		}
		c.mutex.Unlock()
		rounds++
	}
	me.rounds = rounds
}

func (c *contest) competeTimed(me *contestant) {
	rounds := 0
	longest := time.Duration(0)
	for c.goesOn(rounds) {
		start := time.Now()
		c.mutex.Lock()
		if wait := time.Since(start); wait > longest {
			longest = wait
		}
		c.counted++
		if c.hold && rounds%holdEvery == 0 {
			runtime.Gosched()
		}
		c.mutex.Unlock()
		rounds++
	}
	me.rounds, me.longest = rounds, longest
}

func measureMutex(name string, workers int) {
	count := number("contestants", 1)
	duration := time.Duration(number("ms", 100)) * time.Millisecond
	for _, timed := range []bool{false, true} {
		if timed && count == 1 {
			continue // nobody to wait for
		}
		all := make([]contestant, count)
		game := &contest{rounds: number("rounds", 0), hold: name == "mutex-1000-hold"}
		var arrived, ended sync.WaitGroup
		gate := make(chan struct{})
		arrived.Add(count)
		ended.Add(count)
		for i := range all {
			go func(me *contestant) {
				arrived.Done()
				<-gate
				if timed {
					game.competeTimed(me)
				} else {
					game.compete(me)
				}
				ended.Done()
			}(&all[i])
		}
		arrived.Wait()
		start := time.Now()
		close(gate)
		if game.rounds == 0 {
			time.Sleep(duration)
			atomic.StoreUint32(&game.stop, 1)
		}
		ended.Wait()
		spent := time.Since(start)

		rounds, longest := 0, time.Duration(0)
		for i := range all {
			rounds += all[i].rounds
			if all[i].longest > longest {
				longest = all[i].longest
			}
		}
		expect(name, game.counted, rounds)
		check := 1
		if game.rounds > 0 {
			check = game.counted
		}
		if !timed {
			line(name, workers, float64(rounds)*1e3/float64(spent), "Mop/s", check)
		} else {
			line(name+"-wait", workers, float64(longest)/1e3, "us", check)
		}
	}
}
