#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does `interlock choose` measure every candidate, check their results, and advise honestly?

A measurement takes most of a second, with a dozen candidates: claims that can share one do.
"""
import functools
import json
import os
import signal
import subprocess
import time

from tool import Terminal, interlock, main, start

CPUS = len(os.sched_getaffinity(0))
FETCH = "\n  serve " in interlock("--help").out  # built with what serves, and so with what fetches


@functools.cache
def _measure(*more):
    done = interlock("choose", "--json", *more)
    assert done.status == 0 and done.err == "", done.err
    assert done.out.count("\n") == 1
    return json.loads(done.out)


def json_is_one_object_of_the_promised_form():
    found = _measure("factor", "--runs", "3")
    assert found["job"] == "factor"
    assert found["input"] == {"count": 10000, "seed": 1, "low": 20000, "high": 100000000,
                              "method": "trial"}
    assert found["runs_each"] == 3 and found["confidence"] == 0.75
    for run in found["runs"]:
        assert 0 < run["low_s"] <= run["median_s"] <= run["high_s"], run
        assert 0 < run["speedup_low"] <= run["speedup"] <= run["speedup_high"], run
        assert run["cpu_s"] > 0
        assert run["peak_kib"] is None or run["peak_kib"] > 100
    first = found["runs"][0]
    assert (first["on"], first["workers"], first["speedup"]) == ("inline", 1, 1)
    choice = found["choice"]
    assert any(r["on"] == choice["on"] and r["workers"] == choice["workers"] for r in found["runs"])
    assert choice["verdict"] in ("gain", "no gain", "tie", "too few runs")
    assert all((r["runs"], r["at_once"]) == (3, r["workers"]) for r in found["runs"])
    assert choice["why"].startswith(f"Use {choice['on']}") and choice["why"].endswith(".")


def every_candidate_is_there_and_finds_the_same():
    found = _measure("factor", "--runs", "1")
    rows = [(r["on"], r["workers"]) for r in found["runs"]]
    assert len(rows) == len(set(rows))
    assert ("threads", 10) in rows and ("threads", 1) in rows
    if CPUS == found["cpus"]:
        assert ("threads", CPUS) in rows
    assert {r["checksum"] for r in found["runs"]} == {"9debe53d59ec32a7"}


def one_run_is_too_few_to_advise_a_change():
    found = _measure("factor", "--runs", "1")
    assert found["choice"]["on"] == "inline" and found["choice"]["verdict"] == "too few runs"


def table_is_for_a_person():
    done = interlock("choose", "factor", "--runs", "1", env={"COLUMNS": "80"})
    lines = done.out.splitlines()
    assert done.status == 0 and done.err == ""
    assert lines[0].startswith("factor: 10,000 numbers")
    assert all(len(line) < 80 for line in lines), lines
    assert "\033" not in done.out and done.out.isascii()
    header = next(line for line in lines if "executor" in line)
    for word in ("at once", "median", "interval", "speed-up", "CPU", "memory"):
        assert word in header
    rows = [line for line in lines if "threads  " in line or "inline  " in line]
    assert len(rows) >= 3 and all("#" in row for row in rows)
    assert sum(row.startswith("*") for row in rows) == 1
    assert lines[-2].startswith("Use ") or lines[-1].startswith("Use "), lines


def narrow_terminals_lose_columns_not_lines():
    for columns in "60", "44":
        done = interlock("choose", "factor", "--runs", "1", env={"COLUMNS": columns})
        rows = [l for l in done.out.splitlines() if "threads  " in l or "executor" in l]
        assert rows and all(len(row) < int(columns) for row in rows), rows


def terminals_get_colour_unless_no_color_is_set():
    text, status = Terminal("choose", "factor", "--runs", "1", on_tty=("err", "out")).end()
    assert status == 0 and "\033[1;32m" in text and "\033[0m" in text and "█" in text
    plain = Terminal("choose", "factor", "--runs", "1", on_tty=("err", "out"), env={"NO_COLOR": "1"})
    text, status = plain.end()
    assert status == 0 and "\033[1" not in text


def progress_is_shown_while_it_measures():
    terminal = Terminal("choose", "factor", "--runs", "3", on_tty=("err", "out"))
    assert terminal.read_until("runs"), terminal.seen
    text, status = terminal.end()
    assert status == 0 and "measuring" in text


def fetching_gains_from_waiting_together():
    if not FETCH:
        return
    found = _measure("fetch-10", "--runs", "3")
    assert found["input"] == {"count": 10, "latency_ms": 200, "size": 20000}
    rows = {r["on"]: r for r in found["runs"]}
    assert list(rows) == ["inline", "threads", "processes", "loop"]
    assert (rows["loop"]["workers"], rows["loop"]["at_once"]) == (1, 10)
    # Two seconds of latency are a long run, which is not done again.
    assert rows["inline"]["runs"] == 1 and rows["inline"]["median_s"] >= 2
    assert rows["inline"]["low_s"] == rows["inline"]["high_s"]
    assert all(row["median_s"] >= 0.2 for row in rows.values())
    assert found["choice"]["verdict"] == "gain" and found["choice"]["on"] != "inline"


def reason_is_what_the_job_does_with_its_time():
    text = interlock("choose", "factor", "--runs", "1").out.replace("\n", " ")
    assert "In place, it computes: " in text
    if not FETCH:
        return
    text = interlock("choose", "fetch-10", "--runs", "1").out.replace("\n", " ")
    assert "In place, it waits for " in text and " once " in text


def _session(number):
    """The processes that are left of a session."""
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == number and fields[0] not in "ZX":
            left.append(pid)
    return left


def without_a_job_it_does_all_and_a_signal_leaves_nothing_behind():
    if not FETCH:
        return
    process = start("choose", "--runs", "1", "--json", stdout=subprocess.PIPE,
                    start_new_session=True)
    jobs = [json.loads(process.stdout.readline())["job"] for _ in range(2)]
    assert jobs == ["factor", "fetch-10"]
    process.send_signal(signal.SIGTERM)  # in the midst of the third, with its server
    assert process.wait() == -signal.SIGTERM
    until = time.monotonic() + 20
    while _session(process.pid) and time.monotonic() < until:
        time.sleep(0.05)  # sleeps: the kernel ends them after it has told us
    assert not _session(process.pid)


def a_wrong_part_is_named_with_those_that_there_are():
    if not FETCH:
        return
    done = interlock("choose", "fetch-7")
    assert (done.status, done.err) == (
        2, "interlock choose: 'fetch-7' is no job; there are: fetch-10, fetch-1000\n")


main(globals())
