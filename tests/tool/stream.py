#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is `interlock factor` a good neighbour in a pipeline and on a terminal: order, memory, answers at
once, closed and full outputs, interruption?"""
import fcntl
import os
import pty
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time

from tool import ENV, TOOL, Terminal, interlock, main, peak_kib, screen, start


def _file_of(count):
    file = tempfile.TemporaryFile()
    file.write(b"".join(b"%d\n" % n for n in range(count)))
    file.seek(0)
    return file


def order_is_kept_for_a_million_lines():
    with _file_of(1_000_000) as file:
        lines = subprocess.run([TOOL, "factor", "--on", "threads", "-j", "4"], stdin=file, env=ENV,
                               capture_output=True, check=True).stdout.splitlines()
    assert len(lines) == 1_000_000
    for n, line in enumerate(lines):
        assert line.startswith(b"%d:" % n), (n, line)


def every_executor_writes_the_same_bytes():
    args = ["factor", "--random", "30000", "--seed", "3", "--range", "0:18446744073709551615"]
    expected = interlock(*args, "--on", "inline").out
    for workers in "1", "2", "3", "16":
        assert interlock(*args, "--on", "threads", "-j", workers).out == expected, workers


def memory_does_not_grow_with_the_stream():
    with _file_of(100_000) as short, _file_of(3_000_000) as long:
        for more in [], ["--json"]:
            few, many = (peak_kib("factor", "-j", "2", *more, stdin=f) for f in (short, long))
            assert many < few + 8192, f"{few} KiB for 100,000 lines, {many} for 3,000,000"
            short.seek(0)
            long.seek(0)


def slow_reader_does_not_fill_the_memory():
    read, write = os.pipe()
    with _file_of(3_000_000) as file:
        process = start("factor", stdin=file, stdout=write)
        os.close(write)
        time.sleep(1)  # sleeps: it must not run ahead while nobody reads
        with open(f"/proc/{process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        os.close(read)
        process.wait()
    assert peak < 400 * 1024, f"{peak} KiB"


def an_answer_comes_before_the_next_question():
    for on in "inline", "threads", "processes":
        process = start("factor", "--on", on, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        text=True)
        for n in range(2, 50):
            process.stdin.write(f"{n}\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(f"{n}:")
        process.stdin.close()
        assert process.stdout.read() == "" and process.wait() == 0


def words_may_come_in_pieces():
    process = start("factor", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for piece in b"1", b"2", b" 1", b"3\n1", b"4":
        process.stdin.write(piece)
        process.stdin.flush()
        time.sleep(0.02)  # sleeps: so that each piece is read alone
    process.stdin.close()
    assert process.stdout.read() == b"12: 2 2 3\n13: 13\n14: 2 7\n" and process.wait() == 0


def full_disk_is_one_line_and_exit_1():
    for args in (["factor", "12"], ["factor", "--random", "100000"], ["choose", "--runs", "1"],
                 ["choose", "--json", "--runs", "1"], ["--help"], ["factor", "--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, *args], stdout=full, stderr=subprocess.PIPE, env=ENV,
                                  text=True)
        assert done.returncode == 1, (args, done)
        assert done.stderr.endswith(": cannot write the output: No space left on device\n"), done
        assert done.stderr.count("\n") == 1, done.stderr


def closed_output_is_one_line_and_exit_1():
    done = subprocess.run(f"'{TOOL}' factor 12 >&-", shell=True, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done


def reader_that_went_away_ends_it_quietly():
    done = subprocess.run(["bash", "-c", f"'{TOOL}' factor --random 10000000 | head -n 1; "
                           "echo ${PIPESTATUS[0]}"], capture_output=True, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))
    first, status = done.stdout.splitlines()
    assert ":" in first and int(status) == 128 + signal.SIGPIPE, done
    assert done.stderr == ""


def ignored_sigpipe_is_one_line_and_exit_1():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([TOOL, "factor", "--random", "100000"], stdout=write,
                          stderr=subprocess.PIPE, restore_signals=False, text=True, env=ENV,
                          preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == "interlock factor: cannot write the output: Broken pipe\n"


def unreadable_input_is_one_line_and_exit_1():
    directory = os.open("/", os.O_RDONLY)
    done = subprocess.run([TOOL, "factor"], stdin=directory, capture_output=True, text=True,
                          env=ENV)
    os.close(directory)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "interlock factor: cannot read the input: Is a directory\n"


def signals_end_it_at_once_and_by_the_signal():
    for number in signal.SIGINT, signal.SIGTERM:
        # A prime of 64 bits takes trial division ten seconds and more, on every worker.
        process = start("factor", "--trial", *["18446744073709551557"] * 8,
                        stdout=subprocess.DEVNULL)
        time.sleep(0.3)  # sleeps: so that it is in the middle of its work
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait() == -number
        assert time.monotonic() - began < 2


def progress_is_shown_on_a_terminal_and_gone_at_the_end():
    terminal = Terminal("factor", "--random", "200000", "--trial", "-j", "1")
    assert terminal.read_until("numbers"), terminal.seen
    text, status = terminal.end()
    assert status == 0
    assert "%" in text and "left" in text and "█" in text, text
    assert screen(text) == [""], screen(text)
    drawn = text.count("\r")
    assert drawn < 200, f"drawn {drawn} times"


def progress_of_an_unknown_length_is_a_count():
    read, write = os.pipe()

    def feed():
        try:
            while True:
                os.write(write, b"99999989 99999971\n" * 1000)
        except BrokenPipeError:
            os.close(write)

    main_end, ours = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = start("factor", stdin=read, stdout=subprocess.DEVNULL, stderr=ours)
    os.close(read)
    os.close(ours)
    feeder = threading.Thread(target=feed)
    feeder.start()
    seen = b""
    while b"/s" not in seen:
        seen += os.read(main_end, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait() == -signal.SIGINT
    feeder.join()
    seen += os.read(main_end, 4096)
    assert b"numbers" in seen and b"%" not in seen
    assert screen(seen.decode())[-1] == ""


def progress_never_takes_a_second_line():
    terminals = {columns: Terminal("factor", "--random", "100000000", "--trial", "-j", "1",
                                   columns=columns) for columns in (100, 60, 40, 20, 10)}
    for columns, terminal in terminals.items():
        assert terminal.read_until("\r\033[K"), terminal.seen
        terminal.process.send_signal(signal.SIGINT)
        text, status = terminal.end()
        assert status == -signal.SIGINT
        for line in text.split("\r\033[K"):
            assert len(line) < columns, (columns, line)


def ctrl_c_takes_the_line_away():
    terminal = Terminal("factor", "--random", "100000000", "--trial", on_tty=("err", "in"))
    assert terminal.read_until("numbers"), terminal.seen
    terminal.type("\003")
    text, status = terminal.end()
    assert status == -signal.SIGINT
    shown = screen(text.replace("^C", ""))
    assert shown[-1] == "", shown


def complaints_do_not_mix_with_progress():
    read, write = os.pipe()
    os.write(write, b"12 bad 13\n")
    os.close(write)
    main_end, ours = pty.openpty()
    process = start("factor", stdin=read, stdout=subprocess.DEVNULL, stderr=ours)
    os.close(read)
    os.close(ours)
    assert process.wait() == 1
    assert screen(os.read(main_end, 4096).decode()) == [
        "interlock factor: 'bad' is not a valid positive integer", ""]


def nothing_is_drawn_in_a_pipe_or_on_a_dumb_terminal():
    assert interlock("factor", "--random", "150000", "--trial").err == ""
    text, status = Terminal("factor", "--random", "150000", "--trial", env={"TERM": "dumb"}).end()
    assert (text, status) == ("", 0)


def typed_numbers_are_answered_line_by_line():
    terminal = Terminal("factor", on_tty=("err", "out", "in"))
    terminal.type("12 13\n")
    assert terminal.read_until("13: 13", 20), terminal.seen
    terminal.type("x 14\n")
    assert terminal.read_until("14: 2 7", 20), terminal.seen
    terminal.type("\004")
    text, status = terminal.end()
    assert status == 1 and "'x' is not a valid positive integer" in text
    assert "numbers" not in text  # answers are progress enough


main(globals())
