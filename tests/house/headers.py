#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does each public header stand alone, as C11 and as C++17, twice over, without a warning, and
take no name but il_ and IL_?

usage: headers.py ROOT VERSION C-COMPILER...
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wundef", "-Werror", "-pedantic", "-fsyntax-only"]
OURS = re.compile(r"(il|IL)_\w+|INTERLOCK(_\w+)?_H")  # the last: include guards


def compile_alone(compiler, options, include, header):
    program = f"#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n"
    done = subprocess.run(
        [*compiler, *options, *WARNINGS, "-I", str(include), "-"],
        input=program, text=True, capture_output=True)
    return done.stderr if done.returncode else ""


def main():
    root, version, c_compiler = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    include = root / "include"
    cxx = os.environ.get("CXX") or shutil.which("c++") or shutil.which("clang++")
    ways = {"C11": (c_compiler, ["-xc", "-std=c11"])}
    if cxx:
        ways["C++17"] = (cxx.split(), ["-xc++", "-std=c++17"])

    headers = sorted(str(h.relative_to(include)) for h in include.rglob("*.h"))
    faults = []
    for header in headers:
        for way, (compiler, options) in ways.items():
            words = compile_alone(compiler, options, include, header)
            if words:
                faults.append(f"{header} does not compile alone as {way}:\n{words}")
        text = (include / header).read_text()
        for name in re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, re.M):
            if not OURS.fullmatch(name):
                faults.append(f"{header} takes the name {name}")
    if f'#define IL_VERSION "{version}"' not in (include / "interlock.h").read_text():
        faults.append(f"interlock.h and meson.build differ about the version, {version}")

    print("\n".join(faults) or f"{len(headers)} headers stand alone as {' and '.join(ways)}")
    if not cxx:
        print("no C++ compiler: C++17 was not tried")
    return 1 if faults or not headers else 0 if cxx else 77


sys.exit(main())
