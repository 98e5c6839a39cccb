#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Submit to Python's pools: the lines submit, submit-one and submit-cold with ThreadPoolExecutor,
the line processes with ProcessPoolExecutor (pool=futures) or multiprocessing.Pool, chunk 1
(pool=multiprocessing).

Arguments and output are those of the C programs: see bench.h and batch_work.h.
"""
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import Pool


def task(n):
    return n + 1


def submit_each(pool, numbers):
    futures = [pool.submit(task, number) for number in numbers]
    return [future.result() for future in futures]


def map_one_by_one(pool, numbers):
    return pool.map(task, numbers, chunksize=1)


KINDS = {  # what makes one, how it runs a batch, what the column is called
    "threads": (ThreadPoolExecutor, submit_each, "python"),
    "futures": (ProcessPoolExecutor, submit_each, "python-futures"),
    "multiprocessing": (Pool, map_one_by_one, "python-pool"),
}


def main():
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    line = words.get("what", "submit")
    batch = int(words.get("batch", 1000))
    batches = int(words.get("n", 10000)) // batch
    pause = int(words.get("pause", 0)) / 1e9
    workers = int(words.get("workers", 1))
    make, run, variant = KINDS[words.get("pool", "threads")]
    times = []
    total = 0
    with make(workers) as pool:
        for i in range(-1, batches):  # the first one warms up
            time.sleep(pause)
            start = time.perf_counter_ns()
            results = run(pool, range(i * batch, (i + 1) * batch))
            if i >= 0:
                times.append(time.perf_counter_ns() - start)
            total += sum(results) - sum(range(i * batch, (i + 1) * batch))
    right = (batches + 1) * batch
    if total != right:
        sys.exit(f"{line}: computed {total}, right is {right}")
    value = (statistics.median(times) if pause else sum(times) / batches) / batch
    print(line, variant, workers, f"{value:.6g}", "ns", 1, sep="\t")


if __name__ == "__main__":
    main()
