// SPDX-License-Identifier: MIT

// The Go peers: one program, the line to measure is the first argument after the name. Arguments
// and output are those of the C programs: see bench.h. No dependencies.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

var words = map[string]string{}

func word(name, otherwise string) string {
	if found, ok := words[name]; ok {
		return found
	}
	return otherwise
}

func number(name string, otherwise int) int {
	found, ok := words[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(found)
	if err != nil {
		die("not a number: %s=%s", name, found)
	}
	return n
}

func die(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

func line(name string, workers int, value float64, unit string, check int) {
	fmt.Printf("%s\tgo\t%d\t%.6g\t%s\t%d\n", name, workers, value, unit, check)
}

func expect(name string, found, right int) {
	if found != right {
		die("%s: computed %d, right is %d", name, found, right)
	}
}

func main() {
	for _, argument := range os.Args[1:] {
		if name, value, ok := strings.Cut(argument, "="); ok {
			words[name] = value
		}
	}
	workers := number("workers", 1)
	runtime.GOMAXPROCS(workers)

	what := word("what", "")
	switch {
	case strings.HasPrefix(what, "chan-"):
		measureChan(what, workers)
	case what == "skynet-scope":
		measureSkynet(what, workers)
	case strings.HasPrefix(what, "switch-"):
		measureSwitch(what)
	case strings.HasPrefix(what, "start"):
		measureStart(what, workers)
	case strings.HasPrefix(what, "mutex-"):
		measureMutex(what, workers)
	case what == "table":
		measureTable(what, workers)
	case strings.HasPrefix(what, "submit"):
		measureSubmit(what, workers)
	case what == "idle":
		measureIdle(what, workers)
	case strings.HasPrefix(what, "parked-"):
		measureParked(what, workers)
	case what == "echo":
		serveEcho()
	default:
		die("what=%s: not a line that Go has", what)
	}
}
