#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the shared library export what the public headers promise, all of it and nothing else?
Names with il__ may leave only where a public header needs them.

usage: symbols.py ROOT LIBRARY
"""
import pathlib
import re
import subprocess
import sys


def main():
    root, library = pathlib.Path(sys.argv[1]), sys.argv[2]
    text = "\n".join(h.read_text() for h in sorted((root / "include").rglob("*.h")))
    text = re.sub(r"/\*.*?\*/|//[^\n]*|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", " ", text, flags=re.S | re.M)
    promised = set()
    for declaration in re.findall(r"\bIL_API\b([^;{]*)", text):
        name = re.search(r"\b(il_\w+)\s*(?=\(|\[|$)", declaration)
        promised.add(name[1] if name else declaration)

    listing = subprocess.run(["nm", "-D", "--defined-only", library],
                             text=True, capture_output=True, check=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in listing.splitlines() if line}

    # What an inline function of a header needs may be another name on another CPU.
    needed = set(re.findall(r"\bil__\w+", text))
    public = {name for name in promised if not name.startswith("il__")}
    faults = [f"exports {name}, which no public header needs"
              for name in sorted(exported - needed - public)]
    faults += [f"does not export {name}, which a public header declares"
               for name in sorted(public - exported)]
    if not promised:
        faults.append("found no IL_API in the public headers")
    print("\n".join(faults) or f"{len(exported)} symbols leave, each of them declared or needed")
    return bool(faults)


sys.exit(main())
