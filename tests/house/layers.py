#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does every file keep to its floor? And does it open as the house style asks?

usage: layers.py ROOT

- A file in src/<floor>/ includes its own floor and those that the floor knows, public headers,
  and the system.
- A public header includes public headers and the system; so do tool/, examples/ and bench/,
  which have their own folder besides.
- Every .c and .h opens with an SPDX line and, if it is a .c, a comment that says what it is for.
- No test waits for another thread by sleeping. Where sleeping is the subject, or there is
  nothing to meet at, the line says so: /* sleeps: why */
"""
import pathlib
import re
import sys

# Bottom first: the floors directly below each. What those know, it knows too.
FLOORS = {
    "base": [],
    "os": ["base"],
    "wait": ["os"],
    "sync": ["wait"],
    "task": ["sync"],
    "chan": ["task"],
    "sched": ["task"],
    "proc": ["chan", "sched"],
    "share": ["proc"],
    "link": ["proc"],
    "loop": ["task", "sched", "chan"],
    "choose": ["task"],
    "diag": ["chan", "sched", "proc"],
}
OUTSIDE = ["tool", "examples", "bench"]  # they see what a user of the library sees

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
OPENING = re.compile(r"(?:\s*(?://[^\n]*|/\*.*?\*/))*", re.S)
SLEEP = re.compile(r"\b(sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep)\s*\(")


def known(floor):
    """The floor itself and all that are below it."""
    return {floor}.union(*(known(below) for below in FLOORS[floor]))


def includes(text):
    """(line, path, is it in quotes) of each include that is not in a comment."""
    code = COMMENT.sub(lambda c: re.sub(r"[^\n]", " ", c.group()), text)
    for match in INCLUDE.finditer(code):
        yield text.count("\n", 0, match.start(match.lastindex)) + 1, match[1] or match[2], bool(match[1])


def public(path):
    return path == "interlock.h" or path.startswith("interlock/")


def bad_includes(root, file, text):
    room, *inside = file.relative_to(root).parts
    for line, path, quoted in includes(text):
        beside = quoted and (file.parent / path).is_file()
        if public(path):
            if not (root / "include" / path).is_file():
                yield line, f"includes {path}, which does not exist"
        elif room == "include":
            if quoted or (root / "src" / path).exists():
                yield line, f"a public header includes {path}, which is not public"
        elif room in OUTSIDE:
            own = beside and root / room in (file.parent / path).resolve().parents
            own |= (root / room / path).is_file()
            if quoted and not own:
                yield line, f"{room}/ includes {path}: neither public nor in its own folder"
            elif not quoted and (root / "src" / path).exists():
                yield line, f"{room}/ includes {path}, which is not public"
        elif room == "src":
            floor = inside[0]
            other = path.split("/")[0] if "/" in path else floor
            if quoted and other not in FLOORS:
                yield line, f"includes {path}, which is on no floor"
            elif quoted and other not in known(floor):
                yield line, f"{floor} includes {path}, but does not know {other}"
            elif quoted and not (beside or (root / "src" / path).is_file()):
                yield line, f"includes {path}, which does not exist"
            elif not quoted and other in FLOORS and (root / "src" / path).is_file():
                yield line, f"includes <{path}>, which is ours: write \"{path}\""


def bad_opening(file, text):
    opening = OPENING.match(text).group()
    if "SPDX-License-Identifier: MIT" not in opening:
        yield 1, "has no SPDX-License-Identifier line in its opening comment"
    words = re.sub(r"SPDX-License-Identifier: MIT|[^A-Za-z]+", " ", opening).split()
    if file.suffix == ".c" and len(words) < 2:
        yield 1, "does not open with a comment that says what it is for"


def bad_sleeps(text):
    lines = text.split("\n")
    code = COMMENT.sub(lambda c: re.sub(r"[^\n]", " ", c.group()), text)
    for number, line in enumerate(code.split("\n"), 1):
        found = SLEEP.search(line)
        if found and "sleeps:" not in lines[number - 1]:
            yield number, f"{found[1]}() in a test: meet at a latch, or say /* sleeps: why */"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    rooms = ["include", "src", "tests", *OUTSIDE]
    files = sorted(
        file for room in rooms for file in (root / room).rglob("*") if file.suffix in (".c", ".h")
    )
    faults = []
    for file in files:
        text = file.read_text()
        room, *inside = file.relative_to(root).parts
        found = []
        if room == "src" and inside[0] not in FLOORS:
            found.append((1, f"is on no floor: add {inside[0]} to {pathlib.Path(__file__).name}"))
        else:
            found += bad_includes(root, file, text)
        found += bad_opening(file, text)
        if room == "tests":
            found += bad_sleeps(text)
        faults += [f"{file.relative_to(root)}:{line}: {words}" for line, words in found]
    if not files:
        faults.append("found no file to look at")
    print("\n".join(faults) or f"{len(files)} files keep to their floors")
    return bool(faults)


sys.exit(main())
