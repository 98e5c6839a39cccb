#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is what README says still so? Its program is examples/01_first_map.c, each `make word` in it
is a target of the Makefile, and its map of the tree shows rooms that exist and every floor.

usage: readme.py ROOT
"""
import pathlib
import re
import sys


def without_opening(text):
    """A C file without the comments that it opens with."""
    return re.sub(r"\A(?:\s*/\*.*?\*/)*\s*", "", text, flags=re.S)


def main():
    root = pathlib.Path(sys.argv[1])
    readme = (root / "README.md").read_text()
    makefile = (root / "Makefile").read_text()
    faults = []

    program = re.search(r"^```c\n(.*?)^```", readme, re.M | re.S)
    example = (root / "examples" / "01_first_map.c").read_text()
    if not program or program[1] != without_opening(example):
        faults.append("its program is not examples/01_first_map.c")

    said = re.findall(r"`make ([a-z-]+)|^ {4}make ([a-z-]+)", readme, re.M)
    for target in sorted({a or b for a, b in said}):
        if not re.search(rf"^{target}:", makefile, re.M):
            faults.append(f"the Makefile has no target {target}")

    drawn = set(re.findall(r"^ *((?:[\w.]+/)+) ", readme, re.M))
    floors = {f"src/{floor.name}/" for floor in (root / "src").iterdir() if floor.is_dir()}
    faults += [f"its map shows {room}, which does not exist"
               for room in sorted(drawn) if not (root / room).is_dir()]
    faults += [f"its map does not show {floor}" for floor in sorted(floors - drawn)]

    print("\n".join(f"README.md: {fault}" for fault in faults) or "README.md is true")
    return bool(faults)


sys.exit(main())
