# SPDX-License-Identifier: MIT
"""What bench/run measures: the programs of each subject, their arguments, and the sizes."""
import contextlib
import csv
import hashlib
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from fetching import FETCH_PEERS, FetchEntry, fetch_sites

HERE = pathlib.Path(__file__).resolve().parent
OURS = "interlock"
MODES = {"quick": 0, "default": 1, "full": 2}

# What a line is called in the table. {n}: the size that the runner chose.
TITLES = {
    "machine-call": "call through a pointer",
    "machine-atomic": "atomic addition, in cache",
    "machine-line": "cache line to other CPU",
    "machine-syscall": "shortest system call",
    "machine-futex": "wake a sleeping thread",
    "machine-fault": "first touch of a page",
    "machine-memory": "copy 8 bytes, large array",
    "fib": "fib({n})",
    "queens": "{n} queens",
    "skynet": "skynet, {n} leaves",
    "skynet-scope": "skynet, {n}, tasks",
    "product": "product {n} x {n}",
    "switch-2": "yield, 2 fibers",
    "switch-1000": "yield, 1000 fibers",
    "chan-ping": "ping-pong, unbuffered",
    "chan-one": "one to one, 128",
    "chan-four": "four to four, 128",
    "chan-select": "select over eight",
    "chan-pipeline": "100 stages, unbuffered",
    "chan-memory": "memory of an empty one",
    "start": "start and end",
    "start-future": "the same, with future",
    "start-wait": "start, wait once, end",
    "mutex-alone": "alone",
    "mutex-2": "2 contestants",
    "mutex-2-wait": "  longest wait",
    "mutex-1000": "1000 contestants",
    "mutex-1000-wait": "  longest wait",
    "mutex-1000-hold": "1000, holder yields",
    "mutex-1000-hold-wait": "  longest wait",
    "table": "90 % get, {n} keys",
    "submit": "batches of 10000",
    "submit-one": "one round trip",
    "submit-cold": "the same, pool asleep",
    "processes": "tiny tasks, by il_submit",
    "processes-one": "  one round trip",
    "processes-chunked": "  the same by il_map",
    "processes-shared": "  the same in shared memory",
    "processes-memory": "map {n} shared bytes",
    "processes-start": "a pool of workers",
    "processes-busy": "  among eight busy threads",
    "processes-replaced": "a worker replaced",
    "shared-ping": "ping-pong of 2 processes",
    "shared-one": "one to the other",
    "shared-done": "  with il_chan_done",
    "map": "tiny items, {n}",
    "map-uneven": "uneven items, {n}",
    "idle": "CPU time a second",
    "loop-wake": "wake it from a thread",
    "timer-set": "{n} timers, set one",
    "timer-stop": "  take one back",
    "timer-memory": "  memory of one",
    "parked-1k-start": "1000: start, park",
    "parked-1k-end": "1000: wake, end",
    "parked-100k-start": "100000: start, park",
    "parked-100k-end": "100000: wake, end",
    "parked-100k-memory": "100000: memory a fiber",
    "parked-1m-start": "1000000: start, park",
    "parked-1m-end": "1000000: wake, end",
    "parked-1m-memory": "1000000: memory a fiber",
    "echo-64": "64 of 64 bytes",
    "echo-64-cpu": "  server's CPU time",
    "echo-4096": "64 of 4096 bytes",
    "echo-4096-cpu": "  server's CPU time",
    "echo-1000": "1000 of 64 bytes",
    "echo-1000-cpu": "  server's CPU time",
    "echo-idle": "memory of an idle one",
    "factor": "{n} odd 63-bit numbers",
    "crawl": "a page of a site of {n}",
    "crawl-cpu": "  CPU time, without the server's",
    "run-true": "{n} times true",
    "run-true-cpu": "  CPU time, all of it",
    "run-echo": "{n} times echo",
    "run-echo-cpu": "  CPU time, all of it",
    "fetch-ten": "10 files, 200 ms each",
    "fetch-500": "500, 200 ms, 100 at once",
    "fetch-many": "{n} files of 20 kB",
    "fetch-many-cpu": "  CPU time of the client",
    "fetch-many-server": "  CPU time of the server",
}

# What has to be there for a peer, where that is not the build alone.
COMES_WITH = {
    "openmp": "OpenMP", "openmp-body": "OpenMP", "tbb": "oneTBB", "tbb-future": "oneTBB",
    "std-locked": "oneTBB",
    "go": "Go", "gnu": "GNU factor",
    "xargs": "xargs -P", "parallel": "GNU parallel",
    "curl": "curl", "aria2": "aria2", "wget2": "wget2",
}


class Entry:
    """One variant of a subject: a program, its arguments, and with how many workers it runs."""

    def __init__(self, variant, program, arguments, workers=(1, 2)):
        self.variant, self.program, self.workers = variant, program, workers
        self.arguments = arguments

    def command(self, build, workers):
        path = HERE / self.program if "/" in self.program else build / "bench" / self.program
        if not path.exists():
            return None
        start = [sys.executable, str(path)] if path.suffix == ".py" else [str(path)]
        return start + [f"{name}={value}" for name, value in self.arguments.items()] + [
            f"workers={workers}"]

    def measure(self, build, workers, limit):
        """The lines that the program prints, or None if it is not there."""
        command = self.command(build, workers)
        if not command:
            return None
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        if done.returncode:
            words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise RuntimeError(words[-1])
        lines = []
        for line in done.stdout.splitlines():
            name, variant, count, value, unit, check = line.split("\t")
            if variant != self.variant:
                raise RuntimeError(f"calls itself {variant}, not {self.variant}")
            lines.append((name, int(count), float(value), unit, check))
        return lines


class EchoEntry:
    """An echo server and its load, each a program. One worker: the server has a CPU and the load
    another; more: both have all."""

    def __init__(self, variant, program, arguments, load, workers=(1, 2)):
        self.server = Entry(variant, program, arguments)
        self.variant, self.load, self.workers = variant, load, workers

    def measure(self, build, workers, limit):
        cpus = sorted(os.sched_getaffinity(0))
        own = [cpus[:1], cpus[1:]] if workers == 1 and len(cpus) > 1 else [cpus, cpus]
        command = self.server.command(build, workers)
        if not command:
            return None
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, own[0])) as server:
            try:
                port = server.stdout.readline().strip()
                load = Entry(self.variant, "echo_load", self.load | {
                    "variant": self.variant, "port": port, "server": server.pid})
                before = os.sched_getaffinity(0)
                os.sched_setaffinity(0, own[1])
                try:
                    return load.measure(build, workers, limit)
                finally:
                    os.sched_setaffinity(0, before)
            finally:
                server.kill()


class RunEntry:
    """`interlock run`, xargs or GNU parallel over n numbers; the check is the sorted output."""

    def __init__(self, variant, program, n, workers=(1, 2)):
        self.variant, self.program, self.n, self.workers = variant, program, n, workers

    def command(self, build, workers):
        if self.variant == OURS:
            tool = build / "tool" / "interlock"
            return [str(tool), "run", f"-j{workers}"] if tool.exists() else None
        found = shutil.which(self.variant)
        if self.variant == "xargs":
            return found and [found, "-n1", f"-P{workers}"]
        return found and [found, "--will-cite", f"-j{workers}"]

    def measure(self, build, workers, limit):
        command = self.command(build, workers)
        if not command:
            return None
        numbers = "".join(f"{i}\n" for i in range(self.n)).encode()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run([*command, self.program], input=numbers, capture_output=True,
                              timeout=limit, check=False)
        spent = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(words[-1] if words else f"exit status {done.returncode}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        check = hashlib.sha256(b"".join(sorted(done.stdout.splitlines()))).hexdigest()[:16]
        name = f"run-{self.program}"
        return [(name, workers, spent * 1e3 / self.n, "ms", check),
                (f"{name}-cpu", workers, cpu * 1e3 / self.n, "ms", check)]


@contextlib.contextmanager
def served(build, *arguments):
    """The URL of a site that `interlock serve` makes up, or None."""
    tool = build / "tool" / "interlock"
    with subprocess.Popen([str(tool), "serve", "--port=0", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as server:
        found = re.search(r"http://\S+", server.stdout.readline())
        try:
            yield found and found[0]
        finally:
            server.terminate()


class CrawlEntry:
    """`interlock crawl` or wget2 over a site of n pages; the check is how many of them were found."""

    def __init__(self, variant, n, workers=(16,)):
        self.variant, self.n, self.workers = variant, n, workers

    def command(self, build, workers, url, stats):
        if self.variant == OURS:
            return [str(build / "tool" / "interlock"), "crawl", "--list", f"-j{workers}",
                    f"--per-host={workers}", url]
        return [shutil.which("wget2"), "--quiet", "--recursive", "--level=0", "--spider",
                f"--max-threads={workers}", f"--stats-site=csv:{stats}", url]

    def pages(self, output, stats):
        if self.variant == OURS:
            return sum(line.startswith("ok 200 ") for line in output.splitlines())
        with open(stats, encoding="utf-8") as rows:
            found = {row["URL"] for row in csv.DictReader(rows) if row["Status"] == "200"}
        return sum(not url.endswith("/robots.txt") for url in found)

    def measure(self, build, workers, limit):
        if self.variant != OURS and not shutil.which(self.variant):
            return None
        with served(build, f"--pages={self.n}") as url, tempfile.NamedTemporaryFile() as stats:
            if not url:
                return None
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.perf_counter()
            done = subprocess.run(self.command(build, workers, url, stats.name), text=True,
                                  capture_output=True, timeout=limit, check=False)
            spent = time.perf_counter() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)  # not the server, which still runs
            check = str(self.pages(done.stdout, stats.name))
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return [("crawl", workers, spent * 1e6 / self.n, "us", check),
                ("crawl-cpu", workers, cpu * 1e6 / self.n, "us", check)]


class FactorEntry:
    """`interlock factor` or GNU factor over a file of numbers; the check is all of the output."""

    def __init__(self, variant, numbers, workers=(1, 2)):
        self.variant, self.numbers, self.workers = variant, numbers, workers

    def command(self, build, workers):
        if self.variant == OURS:
            tool = build / "tool" / "interlock"
            return [str(tool), "factor", f"-j{workers}"] if tool.exists() else None
        gnu = shutil.which("factor")
        version = gnu and subprocess.run([gnu, "--version"], capture_output=True, text=True,
                                         check=False).stdout
        return [gnu] if version and "GNU" in version else None

    def measure(self, build, workers, limit):
        command = self.command(build, workers)
        if not command:
            return None
        with open(self.numbers.file, "rb") as numbers:
            start = time.perf_counter()
            done = subprocess.run(command, stdin=numbers, capture_output=True, timeout=limit,
                                  check=False)
            spent = time.perf_counter() - start
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(words[-1] if words else f"exit status {done.returncode}")
        check = hashlib.sha256(done.stdout).hexdigest()[:16]
        return [("factor", workers, spent * 1e6 / self.numbers.count, "us", check)]


class Numbers:
    """Random odd numbers of exactly 63 bits, in a file that lives as long as this."""

    def __init__(self, count):
        self.count = count
        self.folder = tempfile.TemporaryDirectory(prefix="interlock-bench-")
        self.file = os.path.join(self.folder.name, "numbers")
        source = random.Random(63)
        with open(self.file, "w", encoding="ascii") as file:
            for _ in range(count):
                file.write(f"{source.getrandbits(63) | 1 << 62 | 1}\n")


class Experiment:
    """Entries that are measured in turns, under one subject and with one size `n`."""

    def __init__(self, subject, n, entries, speed_up=False):
        self.subject, self.n, self.entries, self.speed_up = subject, n, entries, speed_up

    @property
    def name(self):
        first = self.entries[0]
        words = getattr(first, "arguments", None) or getattr(first, "load", {})
        return words.get("what") or words.get("line", self.subject)


def experiments(mode):
    """All of them, at the sizes of a mode."""
    size = lambda *sizes: sizes[MODES[mode]]
    found = [Experiment("machine", 0, [
        Entry("machine", "machine", {"n": size(2000000, 10000000, 10000000)}, (1,))])]

    sizes = {"fib": size(30, 35, 39), "queens": size(10, 12, 13),
             "skynet": size(10**5, 10**6, 10**6), "product": size(256, 512, 1024)}
    for what, n in sizes.items():
        words = {"what": what, "n": n}
        found.append(Experiment("fork", n, [
            Entry(OURS, "il_fork", words),
            Entry("calls", "fork_calls", words, (1,)),
            Entry("plain", "fork_plain", words, (1,)),
            Entry("openmp", "fork_openmp", words),
            Entry("tbb", "fork_tbb", words | ({"invoke": 1} if what == "fib" else {})),
        ], speed_up=True))
    n = sizes["skynet"]
    words = {"what": "skynet-scope", "n": n}
    found.append(Experiment("fork", n, [
        Entry(OURS, "il_fork", words),
        Entry("tbb", "fork_tbb", words),
        Entry("go", "go_bench", words),
    ], speed_up=True))

    n = size(200000, 1000000, 5000000)
    for fibers in (2, 1000):
        words = {"what": f"switch-{fibers}", "fibers": fibers, "n": n}
        slow = {"n": n // 5}
        found.append(Experiment("switch", n, [
            Entry(OURS, "il_switch", words, (1,)),
            Entry("go", "go_bench", words, (1,)),
        ] + ([
            Entry("sched_yield", "switch_pthread", slow | {"what": "sched_yield"}, (1,)),
            Entry("futex", "switch_pthread", slow | {"what": "futex"}, (1,)),
        ] if fibers == 2 else [])))

    n = size(200000, 2000000, 10000000)
    for what in ("chan-ping", "chan-one", "chan-four", "chan-select", "chan-pipeline"):
        words = {"what": what, "n": n}
        fewer = {"what": what, "n": n // 10}
        found.append(Experiment("chan", n, [
            Entry(OURS, "il_chan", words),
            Entry("go", "go_bench", words),
        ] + ([
            Entry("interlock-thread", "il_chan", fewer | {"on": "thread"}, (2,)),
            Entry("tbb", "chan_tbb", fewer, (2,)),
        ] if what in ("chan-ping", "chan-one", "chan-four") else [])))
    words = {"what": "chan-memory", "n": 100000}
    found.append(Experiment("chan", 100000, [
        Entry(OURS, "il_chan", words, (1,)), Entry("go", "go_bench", words, (1,))]))

    time_ms = size(300, 1000, 4000)
    idle = size(1000, 10000, 10000)
    for line, load in {
        "echo-64": {"connections": 64, "size": 64, "time": time_ms},
        "echo-4096": {"connections": 64, "size": 4096, "time": time_ms},
        "echo-1000": {"connections": 1000, "size": 64, "time": time_ms},
        "echo-idle": {"connections": idle, "size": 64, "time": 0},
    }.items():
        load = {"line": line} | load
        workers = (1,) if line == "echo-idle" else (1, 2)
        found.append(Experiment("echo", idle, [
            EchoEntry(OURS, "il_echo", {"what": "echo"}, load, workers),
            EchoEntry("interlock-callback", "il_echo", {"what": "callback"}, load, workers),
            EchoEntry("libuv", "echo_libuv", {"what": "echo"}, load, workers),
            EchoEntry("go", "go_bench", {"what": "echo"}, load, workers),
        ]))

    n = size(100000, 500000, 2000000)
    for what in ("start", "start-future", "start-wait"):
        words = {"what": what, "n": n, "batch": 1000}
        threads = {"what": what, "n": size(2000, 5000, 20000), "batch": 100}
        found.append(Experiment("start", n, [
            Entry(OURS, "il_start", words),
            Entry("go", "go_bench", words),
        ] + ([
            Entry("tbb", "start_tbb", words),
            Entry("openmp", "start_openmp", words),
        ] if what == "start" else []) + ([
            Entry("pthread", "start_pthread", threads),
        ] if what != "start-future" else [])))

    contests = {
        "mutex-alone": ({"contestants": 1, "rounds": size(2000000, 10000000, 50000000)}, (1,)),
        "mutex-2": ({"contestants": 2, "ms": size(50, 200, 1000)}, (2,)),
        "mutex-1000": ({"contestants": 1000, "rounds": size(1000, 5000, 20000)}, (2,)),
        "mutex-1000-hold": ({"contestants": 1000, "rounds": size(160, 800, 4000)}, (2,)),
    }
    for what, (words, workers) in contests.items():
        words = {"what": what} | words
        fiber = words | {"on": "fiber"}
        few = words["contestants"] <= 2
        found.append(Experiment("mutex", 0, [
            Entry(OURS, "il_mutex", words if few else fiber, workers),
        ] + ([
            Entry("interlock-fiber", "il_mutex", fiber | {"as": "interlock-fiber"}, workers),
        ] if few else []) + [
            Entry("pthread", "mutex_pthread", words, workers),
            Entry("go", "go_bench", words, workers),
        ]))

    for keys in (1000, 1000000):
        words = {"what": "table", "keys": keys, "n": size(300000, 1000000, 10000000)}
        found.append(Experiment("table", keys, [
            Entry(OURS, "il_table", words),
            Entry("tbb", "table_tbb", words),
            Entry("std-locked", "table_tbb", words | {"lock": 1}),
            Entry("go", "go_bench", words),
        ]))

    for what, batch, n, pause in (("submit", 10000, size(100000, 500000, 2000000), 0),
                                  ("submit-one", 1, size(2000, 10000, 50000), 0),
                                  ("submit-cold", 1, size(50, 200, 500), 1000000)):
        words = {"what": what, "batch": batch, "n": n, "pause": pause}
        fewer = words | {"n": max(n // 10, batch) if not pause else n}
        found.append(Experiment("submit", n, [
            Entry(OURS, "il_submit", words),
            Entry("pthread", "submit_pthread", words),
            Entry("tbb", "submit_tbb", words),
            Entry("tbb-future", "submit_tbb", words | {"future": 1}),
            Entry("go", "go_bench", words),
            Entry("python", "peers/pool.py", fewer),
        ]))

    n, few = size(100000, 500000, 2000000), size(4000, 20000, 100000)
    words = {"what": "processes", "batch": 10000, "n": n}
    found.append(Experiment("processes", n, [
        Entry(OURS, "il_processes", words, (2,)),
        Entry("threads", "il_processes", words | {"as": "threads"}, (2,)),
        Entry("python-pool", "peers/pool.py",
              words | {"pool": "multiprocessing", "batch": 2000, "n": few}, (2,)),
        Entry("python-futures", "peers/pool.py",
              words | {"pool": "futures", "batch": 2000, "n": few}, (2,)),
    ]))
    for what, words in {
        "processes-one": {"batch": 1, "n": size(500, 2000, 10000)},
        "processes-chunked": {"batch": 1000000, "n": size(2000000, 10000000, 50000000)},
        "processes-shared": {"batch": 1000000, "n": size(2000000, 10000000, 50000000)},
        "processes-memory": {"batch": 1, "n": size(2**26, 2**28, 2**30)},
    }.items():
        words = {"what": what} | words
        found.append(Experiment("processes", words["n"], [
            Entry(OURS, "il_processes", words, (2,)),
            Entry("threads", "il_processes", words | {"as": "threads"}, (2,)),
        ]))

    for what, n in {"start": size(10, 50, 1000), "busy": size(10, 50, 1000),
                    "replaced": size(20, 100, 1000)}.items():
        words = {"what": "processes-" + what, "n": n}
        if what == "replaced":  # threads do not die alone
            entries = [Entry(OURS, "il_pools", words, (1,))]
        else:
            entries = [Entry(OURS, "il_pools", words, (2,)),
                       Entry("threads", "il_pools", words | {"as": "threads"}, (2,))]
        found.append(Experiment("processes", n, entries))

    few = size(2000, 10000, 50000)
    for what, n in (("shared-ping", size(20000, 100000, 1000000)),
                    ("shared-one", size(50000, 400000, 2000000)),
                    ("shared-done", size(50000, 400000, 2000000))):
        words = {"what": what, "n": n}
        kernel = [] if what == "shared-done" else [
            Entry("pipe", "shared_pipe", words | {"on": "pipe"}, (1,)),
            Entry("unix-socket", "shared_pipe", words | {"on": "socket"}, (1,))]
        python = [Entry(f"python-{on}", "peers/shared.py", words | {"on": on, "n": few}, (1,))
                  for on in (("joinable",) if what == "shared-done" else ("queue", "manager"))]
        found.append(Experiment("shared", n, [Entry(OURS, "il_shared", words, (1,)),
                                              *kernel, *python]))

    for what, n in (("map", size(10**6, 10**7, 10**7)),
                    ("map-uneven", size(20000, 100000, 500000))):
        words = {"what": what, "n": n}
        found.append(Experiment("map", n, [
            Entry(OURS, "il_map", words),
            Entry("plain", "map_plain", words, (1,)),
            Entry("openmp", "map_openmp", words),
            Entry("openmp-body", "map_openmp", words | {"body": 1}),
            Entry("tbb", "map_tbb", words),
        ], speed_up=True))

    words = {"what": "idle", "ms": size(300, 1000, 5000)}
    found.append(Experiment("idle", 0, [
        Entry(OURS, "il_idle", words, (2,)), Entry("plain", "idle_plain", words, (2,)),
        Entry("openmp", "idle_openmp", words, (2,)), Entry("tbb", "idle_tbb", words, (2,)),
        Entry("go", "go_bench", words, (2,)),
    ]))

    words = {"what": "loop-wake", "n": size(5000, 20000, 100000)}
    found.append(Experiment("loop", 0, [
        Entry(OURS, "il_loop", words, (1,)), Entry("libuv", "loop_libuv", words, (1,))]))
    n = size(100000, 1000000, 1000000)
    words = {"what": "timer-set", "n": n}
    found.append(Experiment("loop", n, [
        Entry(OURS, "il_loop", words, (1,)), Entry("libuv", "loop_libuv", words, (1,))]))

    crowds = {"parked-1k": (1000, size(20, 100, 1000)), "parked-100k": (100000, 1)}
    if mode == "full":
        crowds["parked-1m"] = (1000000, 1)
    for what, (n, times) in crowds.items():
        words = {"what": what, "n": n, "times": times}
        found.append(Experiment("parked", n, [
            Entry(OURS, "il_parked", words), Entry("go", "go_bench", words)]))

    numbers = Numbers(size(2000, 20000, 100000))
    found.append(Experiment("factor", numbers.count, [
        FactorEntry(OURS, numbers), FactorEntry("gnu", numbers, (1,))], speed_up=True))

    n = size(1000, 5000, 20000)
    found.append(Experiment("crawl", n, [
        CrawlEntry(OURS, n), CrawlEntry("wget2", n)]))

    n = size(500, 3000, 10000)
    for program in ("true", "echo"):
        found.append(Experiment("run", n, [
            RunEntry(variant, program, n) for variant in (OURS, "xargs", "parallel")]))

    for what, site, jobs in fetch_sites(size(1000, 10000, 10000)):
        found.append(Experiment("fetch", site.count, [
            FetchEntry(variant, what, site, jobs) for variant in FETCH_PEERS]))
    return found
