#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Submit to Python's ThreadPoolExecutor: the lines submit, submit-one and submit-cold.

Arguments and output are those of the C programs: see bench.h and batch_work.h.
"""
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def task(n):
    return n + 1


def main():
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    line = words.get("what", "submit")
    batch = int(words.get("batch", 1000))
    batches = int(words.get("n", 10000)) // batch
    pause = int(words.get("pause", 0)) / 1e9
    workers = int(words.get("workers", 1))
    times = []
    total = 0
    with ThreadPoolExecutor(workers) as pool:
        for i in range(-1, batches):  # the first one warms up
            time.sleep(pause)
            start = time.perf_counter_ns()
            futures = [pool.submit(task, i * batch + k) for k in range(batch)]
            results = [future.result() for future in futures]
            if i >= 0:
                times.append(time.perf_counter_ns() - start)
            total += sum(results) - sum(range(i * batch, (i + 1) * batch))
    right = (batches + 1) * batch
    if total != right:
        sys.exit(f"{line}: computed {total}, right is {right}")
    value = (statistics.median(times) if pause else sum(times) / batches) / batch
    print(line, "python", workers, f"{value:.6g}", "ns", 1, sep="\t")


main()
