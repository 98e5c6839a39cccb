# SPDX-License-Identifier: MIT
"""What the tests of the command share: they run it as a user does.

The command is the first argument, or $INTERLOCK. A test is a function whose name is a claim; it
fails by an assertion.
"""
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
import traceback

TOOL = sys.argv[1] if len(sys.argv) > 1 else os.environ["INTERLOCK"]

# A test sees the same whatever the machine is set to.
ENV = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LC_ALL", "LANG")}
ENV.update(LC_ALL="C", TERM="xterm")


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


def interlock(*args, text="", env=None, **more):
    """Run it to its end. Text goes in and comes out as str."""
    done = subprocess.run([TOOL, *args], input=text, capture_output=True, text=True,
                          env={**ENV, **(env or {})}, timeout=300, **more)
    return Done(done.returncode, done.stdout, done.stderr)


def start(*args, **more):
    return subprocess.Popen([TOOL, *args], env=ENV, **more)


def peak_kib(*args, stdin=None):
    """The most memory it had, with its output thrown away."""
    process = start(*args, stdin=stdin, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    assert status == 0, f"{args}: {status}"
    return usage.ru_maxrss


class Terminal:
    """It on a terminal of its own: standard error, and what else is asked for."""

    def __init__(self, *args, columns=80, env=None, out=subprocess.DEVNULL, on_tty=("err",)):
        self.main, ours = pty.openpty()
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(ours, termios.TIOCSWINSZ, size)
        self.process = subprocess.Popen(
            [TOOL, *args], stderr=ours, stdout=ours if "out" in on_tty else out,
            stdin=ours if "in" in on_tty else subprocess.DEVNULL,
            env={**ENV, "LC_ALL": "C.UTF-8", **(env or {})}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0))
        os.close(ours)
        self.seen = b""

    def type(self, text):
        os.write(self.main, text.encode())

    def read_until(self, wanted, seconds=60):
        """True when `wanted` came; False at the end or when the time is over."""
        until = time.monotonic() + seconds
        while wanted.encode() not in self.seen:
            ready = select.select([self.main], [], [], max(0, until - time.monotonic()))[0]
            if not ready or not self._read():
                return False
        return True

    def _read(self):
        try:
            more = os.read(self.main, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += more
        return bool(more)

    def end(self):
        """Wait for it; everything it wrote, and how it ended."""
        while self._read():
            pass
        os.close(self.main)
        return self.seen.decode(), self.process.wait()


def screen(text):
    """What a terminal shows in the end: carriage returns and erased lines carried out."""
    lines = [""]
    at = 0
    while at < len(text):
        if text.startswith("\r\n", at):
            lines.append("")
            at += 2
        elif text.startswith("\r\033[K", at):
            lines[-1] = ""
            at += 4
        else:
            lines[-1] += text[at]
            at += 1
    return lines


def main(claims):
    failed = 0
    for name, claim in list(claims.items()):
        if name.startswith("_") or getattr(claim, "__module__", "") != "__main__":
            continue
        began = time.monotonic()
        try:
            claim()
            print(f"ok    {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
    sys.exit(bool(failed))
