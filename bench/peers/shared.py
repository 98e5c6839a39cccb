#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shared lines with Python: on=queue is multiprocessing.Queue, on=manager is Manager().Queue, on=
joinable is JoinableQueue with task_done for the line shared-done.

Arguments and output are those of the C programs: see bench.h.
"""
import sys
import time
from multiprocessing import JoinableQueue, Manager, Process, Queue

CAPACITY = 128


def serve(there, back, echo, done):
    total = 0
    while (item := there.get()) >= 0:
        total += item
        if echo:
            back.put(item + 1)
        if done:
            there.task_done()
    back.put(total)


def measure(make, line, n):
    ping, done = line == "shared-ping", line == "shared-done"
    there, back = make(1 if ping else CAPACITY), make(1 if ping else CAPACITY)
    other = Process(target=serve, args=(there, back, ping, done))
    other.start()
    start = time.perf_counter_ns()
    ball = 0
    for i in range(n // 2 if ping else n):
        there.put(ball if ping else i)
        if ping:
            ball = back.get()
    there.put(-1)
    total = back.get()
    spent = time.perf_counter_ns() - start
    other.join()
    right = (n // 2 - 1) * (n // 2) // 2 if ping else n * (n - 1) // 2
    if total != right:
        sys.exit(f"{line}: computed {total}, right is {right}")
    return spent / n


def main():
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    line, n = words.get("what", "shared-ping"), int(words.get("n", 10000))
    kind = words.get("on", "queue")
    make = {"queue": Queue, "joinable": JoinableQueue}.get(kind)
    if kind == "manager":
        manager = Manager()
        make = manager.Queue
    measure(make, line, n // 100 + 2)
    print(line, f"python-{kind}", words.get("workers", 1), f"{measure(make, line, n):.6g}", "ns", 1,
          sep="\t")


if __name__ == "__main__":
    main()
