// SPDX-License-Identifier: MIT

package main

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// As in table_work.h, with sync.Map between goroutines.
type numbers struct {
	table sync.Map
	count int64
}

func (n *numbers) add(key, value uint64) int64 {
	if _, there := n.table.LoadOrStore(key, value); there {
		return 0
	}
	return 1
}

func draw(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (n *numbers) run(index, calls int, keys uint64) {
	state := uint64(index) + 1
	added, wrong := int64(0), 0
	for i := 0; i < calls; i++ {
		drawn := draw(&state)
		key := (drawn >> 32) * keys >> 32
		switch what := drawn % 100; {
		case what < 90:
			if value, there := n.table.Load(key); there && value.(uint64) != ^key*3 {
				wrong++
			}
		case what < 95:
			added += n.add(key, ^key*3)
		default:
			if _, there := n.table.LoadAndDelete(key); there {
				added--
			}
		}
	}
	expect("table", wrong, 0)
	atomic.AddInt64(&n.count, added)
}

func (n *numbers) found() int {
	found := 0
	n.table.Range(func(_, _ any) bool {
		found++
		return true
	})
	return found
}

func measureTable(name string, workers int) {
	keys, calls := uint64(number("keys", 100000)), number("n", 1000000)
	n := &numbers{}
	for key := uint64(0); key < keys; key += 2 {
		n.count += n.add(key, ^key*3)
	}
	times := []float64{}
	for round := -1; round < 3; round++ {
		var ended sync.WaitGroup
		ended.Add(workers)
		start := time.Now()
		for i := 0; i < workers; i++ {
			go func(index int) {
				n.run(index, calls, keys)
				ended.Done()
			}(64*(round+1) + i)
		}
		ended.Wait()
		spent := float64(time.Since(start))
		expect(name, n.found(), int(n.count))
		if round >= 0 {
			times = append(times, spent)
		}
	}
	sort.Float64s(times)
	line(name, workers, float64(calls*workers)*1e3/times[1], "Mop/s", 1)
}
