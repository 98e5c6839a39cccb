#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does `interlock choose` measure every candidate, check their results, and advise honestly?

A measurement takes most of a second, with a dozen candidates: claims that can share one do.
"""
import functools
import json
import os

from tool import Terminal, interlock, main

CPUS = len(os.sched_getaffinity(0))


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
    assert choice["why"].startswith(f"Use {choice['on']}") and choice["why"].endswith(".")


def every_candidate_is_there_and_finds_the_same():
    found = _measure("--runs", "1")
    rows = [(r["on"], r["workers"]) for r in found["runs"]]
    assert len(rows) == len(set(rows))
    assert ("threads", 10) in rows and ("threads", 1) in rows
    if CPUS == found["cpus"]:
        assert ("threads", CPUS) in rows
    assert {r["checksum"] for r in found["runs"]} == {"9debe53d59ec32a7"}


def one_run_is_too_few_to_advise_a_change():
    found = _measure("--runs", "1")
    assert found["choice"]["on"] == "inline" and found["choice"]["verdict"] == "too few runs"


def table_is_for_a_person():
    done = interlock("choose", "--runs", "1", env={"COLUMNS": "80"})
    lines = done.out.splitlines()
    assert done.status == 0 and done.err == ""
    assert lines[0].startswith("factor: 10,000 numbers")
    assert all(len(line) < 80 for line in lines), lines
    assert "\033" not in done.out and done.out.isascii()
    header = next(line for line in lines if "executor" in line)
    for word in ("workers", "median", "interval", "speed-up", "CPU", "memory"):
        assert word in header
    rows = [line for line in lines if "threads  " in line or "inline  " in line]
    assert len(rows) >= 3 and all("#" in row for row in rows)
    assert sum(row.startswith("*") for row in rows) == 1
    assert lines[-2].startswith("Use ") or lines[-1].startswith("Use "), lines


def narrow_terminals_lose_columns_not_lines():
    for columns in "60", "44":
        done = interlock("choose", "--runs", "1", env={"COLUMNS": columns})
        rows = [l for l in done.out.splitlines() if "threads  " in l or "executor" in l]
        assert rows and all(len(row) < int(columns) for row in rows), rows


def terminals_get_colour_unless_no_color_is_set():
    text, status = Terminal("choose", "--runs", "1", on_tty=("err", "out")).end()
    assert status == 0 and "\033[1;32m" in text and "\033[0m" in text and "█" in text
    plain = Terminal("choose", "--runs", "1", on_tty=("err", "out"), env={"NO_COLOR": "1"})
    text, status = plain.end()
    assert status == 0 and "\033[1" not in text


def progress_is_shown_while_it_measures():
    terminal = Terminal("choose", "--runs", "3", on_tty=("err", "out"))
    assert terminal.read_until("runs"), terminal.seen
    text, status = terminal.end()
    assert status == 0 and "measuring" in text


main(globals())
