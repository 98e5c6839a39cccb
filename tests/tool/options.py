#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is the command line answered as documented: help, version, one line and exit 2 for a mistake?"""
import pathlib
import re

from tool import interlock, main

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = re.findall(r"^  ([a-z]+)  ", interlock("--help").out, re.M)
NET = "is not installed" not in interlock("fetch", "--help").err
if not NET:
    COMMANDS = [c for c in COMMANDS if "is not installed" not in interlock(c, "--help").err]


def help_shows_examples_and_exit_codes():
    for command in [], *([c] for c in COMMANDS):
        done = interlock(*command, "--help")
        assert done.status == 0 and done.err == ""
        assert "Examples:\n  interlock " in done.out
        assert re.search(r"Ends with 0 .* 1 .* 2 ", done.out.replace("\n", " ")), done.out
        assert all(len(line) <= 80 for line in done.out.splitlines())
    assert {"choose", "factor", "fetch", "run"} <= set(COMMANDS) or not NET


def examples_of_the_help_work():
    done = interlock("factor", "12", "18446744073709551557")
    assert done.out == "12: 2 2 3\n18446744073709551557: 18446744073709551557\n"
    done = interlock("factor", "--random", "10000", "--seed", "1", "--trial", "--on", "inline")
    assert done.status == 0 and done.out.count("\n") == 10000


def version_is_that_of_the_library():
    header = (ROOT / "include" / "interlock.h").read_text()
    version = re.search(r'#define IL_VERSION "(.*)"', header)[1]
    for args in ["--version"], ["-V"], ["factor", "--version"], ["choose", "--version"]:
        done = interlock(*args)
        assert (done.out, done.status) == (f"interlock {version}\n", 0), args


MISTAKES = {
    (): "interlock: no command; 'interlock --help' lists them",
    ("fatcor",): "interlock: 'fatcor' is no command; there are: "
                 + ", ".join(re.findall(r"^  ([a-z]+)  ", interlock("--help").out, re.M)),
    ("--frob",): "interlock: unrecognized option '--frob'",
    ("-q",): "interlock: invalid option -- 'q'",
    ("factor", "--frob"): "interlock factor: unrecognized option '--frob'",
    ("factor", "-5"): "interlock factor: invalid option -- '5'",
    ("factor", "--on"): "interlock factor: option '--on' requires an argument",
    ("factor", "-j"): "interlock factor: option requires an argument -- 'j'",
    ("factor", "--on", "mars"):
        "interlock factor: --on: 'mars' is no executor; there are: inline, threads, processes, loop",
    ("factor", "-j", "many"): "interlock factor: -j: 'many' is not a whole number",
    ("factor", "-j", "0"): "interlock factor: -j: 0 is not from 1 to 4096",
    ("factor", "-j", "99999999999999999999"):
        "interlock factor: -j: 99999999999999999999 is not from 1 to 4096",
    ("factor", "-j", "2", "--on", "inline"): "interlock factor: -j 2: inline has one worker",
    ("factor", "--random", "-1"): "interlock factor: --random: '-1' is not a whole number",
    ("factor", "--random", "5", "7"): "interlock factor: --random and numbers: one of them",
    ("factor", "--seed", "5", "7"): "interlock factor: --seed: needs --random",
    ("factor", "--range", "1:2", "7"): "interlock factor: --range: needs --random",
    ("factor", "--random", "5", "--range", "7"): "interlock factor: --range: '7' is not LOW:HIGH",
    ("factor", "--random", "5", "--range", "7:"):
        "interlock factor: --range: '' is not a whole number",
    ("factor", "--random", "5", "--range", "9:7"): "interlock factor: --range: 9 is more than 7",
    ("choose", "--frob"): "interlock choose: unrecognized option '--frob'",
    ("choose", "lunch"): "interlock choose: 'lunch' is no job; there are: factor"
                         + (", fetch" if "serve" in COMMANDS else ""),
    ("choose", "factor", "factor"): "interlock choose: 'factor': one job at a time",
    ("run", "-j", "0"): "interlock run: -j: 0 is not from 1 to 4096",
    ("run", "--frob"): "interlock run: unrecognized option '--frob'",
    ("run", "echo {2}", ":::", "1"): "interlock run: {2}: there is 1 source of arguments",
    ("run", "echo `{}`", ":::", "1"):
        "interlock run: a replacement word inside `...`: write $(...) instead",
    ("run", "x", "::::"): "interlock run: ::::: needs a file",
    ("run", "x", "::::", "/none"): "interlock run: /none: No such file or directory",
    ("run", "--timeout", "1y", "x"):
        "interlock run: --timeout: '1y' is not a number with one of the units smhd",
    ("run", "--memory", "-1", "x"):
        "interlock run: --memory: '-1' is not a number with one of the units KkMGT",
    ("run", "--halt", "later", "x"):
        "interlock run: --halt: 'later' is not never, soon, now or soon,fail=N",
    ("run", "--resume", "x"): "interlock run: --resume: needs --log",
    ("run", "--job", "a: x", "y"):
        "interlock run: --job and --jobs: the command stands there",
    ("run", "--tag", "--json", "x"): "interlock run: --tag and --json: one of them",
    ("choose", "--runs", "0"): "interlock choose: --runs: 0 is not from 1 to 1000",
}
if NET:
    MISTAKES |= {
        ("crawl",): "interlock crawl: no URL; --help has examples",
        ("crawl", "ftp://x/"): "interlock crawl: 'ftp://x/' is no URL of http or https",
        ("crawl", "-j", "0", "x"): "interlock crawl: -j: 0 is not from 1 to 1024",
        ("crawl", "--on", "inline", "-j2", "x"): "interlock crawl: -j 2: inline has one worker",
        ("crawl", "--depth", "-1", "x"): "interlock crawl: --depth: '-1' is not a whole number",
        ("crawl", "--host", "a/b", "x"): "interlock crawl: --host: 'a/b' is no name of a host",
        ("fetch",): "interlock fetch: no URL; --help has examples",
        ("fetch", "ftp://a/b"): "interlock fetch: 'ftp://a/b' is no URL of http or https",
        ("fetch", "-o", "x", "http://a/b", "http://a/c"):
            "interlock fetch: -o: for one URL; for more there is -d",
        ("fetch", "-o", "x/..", "http://a/b"): "interlock fetch: -o: '..' is no name for a file",
        ("fetch", "--checksum", "sha256:12", "http://a/b"):
            "interlock fetch: 'sha256:12' is no sha256:... or sha512:...",
        ("fetch", "--on", "inline", "-j2", "http://a/b"):
            "interlock fetch: -j 2: inline has one worker",
        ("fetch", "--json", "--timing", "http://a/b"): "interlock fetch: --json has the times, too",
        ("fetch", "-i", "/none"): "interlock fetch: -i: /none: No such file or directory",
        ("fetch", "--per-host", "0", "http://a/b"):
            "interlock fetch: --per-host: 0 is not from 1 to 4096",
    }


def mistakes_are_one_exact_line_and_exit_2():
    for args, line in MISTAKES.items():
        done = interlock(*args)
        assert (done.status, done.out) == (2, ""), (args, done.status, done.out)
        assert done.err == line + "\n", (args, done.err)


def numbers_after_two_dashes_are_no_options():
    done = interlock("factor", "--", "-5", "7")
    assert done.status == 1 and done.out == "7: 7\n"
    assert done.err == "interlock factor: '-5' is not a valid positive integer\n"


def manual_knows_every_option():
    page = (ROOT / "docs" / "interlock.1").read_text().replace("\\-", "-")
    for command in COMMANDS:
        for option in re.findall(r"--[a-z]+", interlock(command, "--help").out):
            assert option in page, f"{command} {option} is not in docs/interlock.1"


main(globals())
