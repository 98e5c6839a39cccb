#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does a cell keep its promises at compile time, in C11 and in C++17: its blocks compile without a
warning, and what goes past the lock does not compile?

usage: cell.py ROOT C-COMPILER...
"""
import os
import pathlib
import shutil
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Werror", "-pedantic", "-fsyntax-only"]
OPENING = """
#include <interlock/cell.h>
typedef struct pair { int a, b; } pair;
typedef IL_CELL(pair) pair_cell;
pair_cell cell = IL_CELL_INIT({ 1, 2 });
IL_RWCELL(pair) rwcell;
IL_CELL(int[3]) numbers;
int use(int *out_status);
int use(int *out_status)
{
    il_cond more = { { 0, 0 } };
    int *kept = 0, status = 0;
    (void)kept, (void)more, (void)status, (void)&rwcell, (void)&numbers;
    %s
    return *out_status;
}
"""
GOOD = [
    "il_cell_with(&cell, p) p->a++;",
    "il_cell_read(&cell, p) status = p->a;",
    "il_cell_with(&cell, p) { p->a++; il_cell_read(&rwcell, q) { p->b = q->b; } }",
    "il_cell_with_until(&cell, p, IL_NOW, out_status) { p->a++; }",
    "il_cell_read_until(&rwcell, p, il_after(IL_MS(1)), &status) return p->a;",
    "il_cell_with(&cell, p) while (!p->a && !status) status = il_cell_wait(&cell, &more, IL_NOW);",
    "il_cell_with(&numbers, n) { for (int i = 0; i < 3; i++) (*n)[i] = i; }",
    "il_cell_with(&cell, unused) {}",
]
BAD = {
    "a value without its lock": "cell.a++;",
    "a write in a block that reads": "il_cell_read(&rwcell, p) p->a++;",
    "a pointer to const lost": "il_cell_read(&rwcell, p) kept = &p->a;",
    "the block's pointer turned elsewhere": "il_cell_with(&cell, p) p++;",
    "the value after the block": "il_cell_with(&cell, p) {} p->a++;",
    "something that is no cell": "il_cell_with(&status, p) {}",
    "a wait in a cell without a mutex":
        "il_cell_with(&rwcell, p) status = il_cell_wait(&rwcell, &more, IL_NOW);",
}


def compiles(compiler, options, include, body):
    done = subprocess.run(
        [*compiler, *options, *WARNINGS, "-I", str(include), "-"],
        input=OPENING % body, text=True, capture_output=True)
    return not done.returncode, done.stderr


def main():
    include, c_compiler = pathlib.Path(sys.argv[1]) / "include", sys.argv[2:]
    cxx = os.environ.get("CXX") or shutil.which("c++") or shutil.which("clang++")
    ways = {"C11": (c_compiler, ["-xc", "-std=c11"])}
    if cxx:
        ways["C++17"] = (cxx.split(), ["-xc++", "-std=c++17"])

    faults = []
    for way, (compiler, options) in ways.items():
        for body in GOOD:
            good, words = compiles(compiler, options, include, body)
            if not good:
                faults.append(f"{way}: does not compile: {body}\n{words}")
        for what, body in BAD.items():
            if compiles(compiler, options, include, body)[0]:
                faults.append(f"{way}: compiles, but is {what}: {body}")
    print("\n".join(faults) or f"{len(GOOD)} blocks compile and {len(BAD)} mistakes do not, "
          f"as {' and '.join(ways)}")
    return bool(faults)


sys.exit(main())
