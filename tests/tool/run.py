#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""interlock run, as its users use it: quoting, output, failures, and what is left after the worst."""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from tool import ENV, TOOL, Terminal, interlock, main, start

SCRATCH = tempfile.TemporaryDirectory(prefix="interlock-run-")
FOLDER = pathlib.Path(SCRATCH.name)


def _run(*args, text="", **more):
    return interlock("run", *args, text=text, cwd=FOLDER, **more)


def _fresh(name):
    path = FOLDER / name
    path.unlink(missing_ok=True)
    return path


def _marked(mark):
    """Processes with this word on their command line."""
    found = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (proc / "cmdline").read_bytes().split(b"\0")
            state = (proc / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark.encode() in words and state != "Z":
            found.append(int(proc.name))
    return found


def _gone(mark, seconds=60):
    until = time.monotonic() + seconds
    while _marked(mark):
        assert time.monotonic() < until, f"still there: {_marked(mark)}"
        time.sleep(0.01)


def _until(question, seconds=60):
    until = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.005)


# ---- Commands ----

def each_replacement_word_is_what_gnu_parallel_makes_of_it():
    done = _run("-k", "echo {} {.} {/} {//} {/.} {#}", ":::", "a/b.c", "d", "/e.f", "g.h/i", ".j")
    assert done.out.splitlines() == [
        "a/b.c a/b b.c a b 1", "d d d . d 2", "/e.f /e e.f / e 3", "g.h/i g.h/i i g.h i 4",
        ".j .j .j . .j 5"]
    done = _run("-n", "x {1} {2.} {2/} {2//} {1/.}", ":::", "p/q.r", ":::", "s/t.u")
    assert done.out == "x p/q.r s/t t.u s q\n"


def a_command_without_replacement_word_gets_the_arguments_at_its_end():
    assert _run("-k", "echo x", ":::", "a b", "c").out == "x a b\nx c\n"
    assert _run("-k", "echo", "x", ":::", "a b", "c").out == "x a b\nx c\n"
    assert _run("-k", "sh", "-c", "echo $#", "sh", ":::", "a", ":::", "b c").out == "2\n"


def sources_are_combined_the_last_one_fastest():
    done = _run("-n", "echo", ":::", "a", "b", ":::", "1", "2")
    assert done.out.splitlines() == ["echo a 1", "echo a 2", "echo b 1", "echo b 2"]
    done = _run("-n", "echo", ":::", "a", "b", ":::+", "1", "2", "3", ":::", "x", "y")
    assert done.out.splitlines() == ["echo a 1 x", "echo a 1 y", "echo b 2 x", "echo b 2 y"]
    lines = _fresh("lines")
    lines.write_text("l1\nl2\n")
    assert _run("-n", "echo", "::::", "lines", ":::", "1").out == "echo l1 1\necho l2 1\n"
    assert _run("-n", "-a", "lines", "echo").out == "echo l1\necho l2\n"
    assert _run("-n", "echo", ":::", "1", "::::", "-", text="in\n").out == "echo 1 in\n"
    assert _run("echo", ":::").out == ""


NASTY = ["a b", "a'b", 'a"b', "$(echo no)", "`echo no`", "$HOME", "a\\b", "a\\", "*", "", "-n",
         "x;echo no", "#", "~", "a\tb", "!", "{}", "é", "a\nb", "&", "%s", "\\n"]


def an_argument_is_one_word_whatever_is_in_it_and_wherever_it_stands():
    """In the open, in double quotes, in single quotes, in a substitution within quotes."""
    for template, make in {
        "printf [%s] {}": lambda a: a,
        "printf [%s] {} >&1": lambda a: a,
        'printf [%s] "<{}>"': lambda a: f"<{a}>",
        "printf [%s] '<{}>'": lambda a: f"<{a}>",
        'printf [%s] "<$(printf %s. {})>"': lambda a: f"<{a}.>",
        'printf [%s] "<$(printf %s. "{}")>"': lambda a: f"<{a}.>",
        "printf [%s] pre{}post; :": lambda a: f"pre{a}post",
    }.items():
        done = _run("-k", template, ":::", *NASTY)
        assert done.status == 0, (template, done.err)
        assert done.out == "".join(f"[{make(a)}]\n" for a in NASTY), template
    done = _run("-k", "printf", "[%s]", "<{}>", ":::", *NASTY)
    assert done.out == "".join(f"[<{a}>]\n" for a in NASTY)


def without_a_command_each_line_is_one():
    done = _run("-k", text="echo a | tr a b\nexit 3\necho 'c  d'\n")
    assert (done.out, done.status) == ("b\nc  d\n", 1)


def null_ends_lines_that_contain_anything():
    assert _run("-k", "-0", "echo", text="a\nb\0c\0").out == "a\nb\nc\n"


def the_last_line_needs_no_end():
    assert _run("-k", "echo", text="a\nb").out == "a\nb\n"


def lines_run_while_more_are_to_come():
    process = start("run", "echo", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write("a\n")
    process.stdin.flush()
    assert process.stdout.readline() == "a\n"
    process.stdin.write("b\n")
    process.stdin.close()
    assert process.stdout.read() == "b\n"
    assert process.wait() == 0


def jobs_read_nothing_and_have_no_other_descriptors():
    done = _run("-k", ": {}; cat; ls /proc/self/fd | wc -l", ":::", "1")
    assert done.out == "4\n"  # 0, 1, 2 and the folder itself


# ---- Output ----

WRITER = """
import os, sys
name, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for i in range(count):
    line = (f"{name}:{i}:" + name[-1] * size)[:size - 1] + "\\n"
    for at in range(0, len(line), 3000):
        os.write(1 + i % 2, line[at:at + 3000].encode())
"""


def lines_of_different_jobs_are_never_torn():
    writer = _fresh("writer.py")
    writer.write_text(WRITER)
    jobs, count, size = 40, 50, 8000
    process = start("run", "-j16", sys.executable, "writer.py", "{}", str(count), str(size), ":::",
                    *map(str, range(jobs)), cwd=FOLDER, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT)
    seen = {}
    for line in process.stdout:
        name, number, rest = line.decode().split(":")
        assert len(line) == size and set(rest[:-1]) == {name[-1]}, line[:80]
        seen.setdefault((name, int(number) % 2), []).append(int(number))
    assert process.wait() == 0
    assert len(seen) == 2 * jobs
    assert all(numbers == list(range(odd, count, 2)) for (_, odd), numbers in seen.items())


def output_is_live_line_by_line():
    fifo = FOLDER / "never"
    os.mkfifo(fifo)
    process = start("run", "-j2", "echo {}; read x < never", ":::", "a", cwd=FOLDER,
                    stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "a\n"
    assert process.poll() is None
    fifo.write_text("go\n")
    assert process.wait() == 0
    fifo.unlink()


def keep_order_keeps_it_and_the_first_is_live():
    fifo = FOLDER / "fifo"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    command = "if [ {} = 1 ]; then echo first; read x < fifo; else echo go > fifo; fi; echo {}"
    done = _run("-k", "-j2", command, ":::", "1", "2")
    assert done.out == "first\n1\n2\n"
    fifo.unlink()
    numbers = [str(i) for i in range(200)]
    assert _run("-k", "-j8", "echo", ":::", *numbers).out.split() == numbers


def keep_order_holds_a_bounded_amount():
    """The second writes 300 MB while the first waits for it to have begun and then sleeps."""
    command = "if [ {} = 1 ]; then until [ -e begun ]; do :; done; sleep 1; " \
              "else touch begun; head -c 300000000 /dev/zero | tr '\\0' 'x' | fold -w 999; fi"
    _fresh("begun")
    process = start("run", "-k", "-j2", command, ":::", "1", "2", cwd=FOLDER,
                    stdout=subprocess.PIPE)
    peak, size = 0, 0
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    runner = None
    while chunk := process.stdout.read(1 << 20):
        runner = runner or int(children.read_text().split()[0])
        size += len(chunk)
        status = pathlib.Path(f"/proc/{runner}/status")
        if status.exists():
            peak = max([peak] + [int(line.split()[1]) for line in status.read_text().splitlines()
                                 if line.startswith("VmHWM")])
    assert process.wait() == 0 and size == 300000000 + 300000000 // 999 + 1
    assert 0 < peak < 200000, peak


def tag_begins_each_line():
    done = _run("-k", "--tag", "printf 'x\\ny'; echo z >&2; : {}", ":::", "a", "b")
    assert done.out == "a\tx\na\ty\nb\tx\nb\ty\n"
    assert sorted(done.err.splitlines()) == ["a\tz", "b\tz"]
    assert _run("--tag", "--job", "n: echo 1").out == "n\t1\n"


def json_has_an_object_a_job():
    done = _run("-k", "--json", "printf 'a\"\\377\\n'; echo e >&2; exit {}", ":::", "0", "7")
    first, second = map(json.loads, done.out.splitlines())
    assert first["done"] and first["exit"] == 0 and first["stdout"] == 'a"\ufffd\n'
    assert not second["done"] and second["exit"] == 7 and second["stderr"] == "e\n"
    assert second["reason"] == "exit code 7" and second["peak_kib"] > 0
    assert done.status == 1


def a_full_disk_is_one_line_and_an_exit_code():
    with open("/dev/full", "w") as full:
        done = subprocess.run([TOOL, "run", "echo", ":::", *map(str, range(50))], env=ENV,
                              stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 102
    assert done.stderr.splitlines()[-1] == \
        "interlock run: cannot write the output: No space left on device"


def a_reader_that_goes_away_ends_it_quietly():
    process = start("run", "-j2", "while echo {}; do :; done", ":::", "1", "2",
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == -signal.SIGPIPE
    assert b"cannot" not in process.stderr.read()
    process.stderr.close()


def closed_standard_output_is_said():
    done = subprocess.run(f"exec '{TOOL}' run echo ::: 1 >&-", shell=True, env=ENV,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 102 and "cannot write the output" in done.stderr, done


def a_closed_standard_output_is_no_other_file():
    log = _fresh("log")
    subprocess.run(f"exec '{TOOL}' run --log '{log}' echo ::: 1 >&-", shell=True, env=ENV,
                   stderr=subprocess.DEVNULL)
    assert all(json.loads(line)["job"] == 1 for line in log.read_text().splitlines())


# ---- Failures ----

def the_exit_code_says_how_many_failed():
    for failures, code in (0, 0), (1, 1), (3, 3), (100, 100), (101, 101), (150, 101):
        args = ["1"] * failures + ["0"] * 3
        assert _run("-j8", "exit", ":::", *args).status == code, failures


def failures_are_listed_at_the_end_by_name_and_reason():
    done = _run("-j1", ":::", "true", "exit 3", "kill -9 $$", "no-such-program", "echo last")
    assert done.status == 3 and done.out == "last\n"
    assert done.err.splitlines()[-4:] == [
        "interlock run: job 2: exit 3: exit code 3",
        "interlock run: job 3: kill -9 $$: ended by SIGKILL",
        "interlock run: job 4: no-such-program: exit code 127",
        "interlock run: 3 of 5 jobs failed"]
    done = _run("no-such-program", "{}", ":::", "1")
    assert done.err.splitlines()[0] == \
        "interlock run: job 1: no-such-program 1: cannot be run: No such file or directory"


def a_timeout_ends_grandchildren_too():
    mark = f"7{os.getpid()}1"
    command = f"trap '' TERM; sh -c 'setsid sleep {mark} & trap \"\" TERM; sleep {mark}; :' ; :"
    done = _run("--timeout", "0.5", command, ":::", "1")
    assert done.status == 1 and "ran longer than --timeout" in done.err
    _gone(mark, 0)


def what_a_job_leaves_in_its_group_ends_with_it():
    mark = f"7{os.getpid()}2"
    assert _run("sleep {} & echo on", ":::", mark).out == "on\n"
    _gone(mark, 1)


def retries_come_until_one_succeeds():
    tries = _fresh("tries")
    done = _run("--retries", "5", "echo x >> tries; [ {} = $(wc -l < tries) ]", ":::", "3")
    assert done.status == 0 and tries.read_text() == "x\n" * 3
    tries.unlink()
    done = _run("--retries", "2", "echo x >> tries; false {}", ":::", "1")
    assert done.status == 1 and tries.read_text() == "x\n" * 3
    assert "exit code 1 (after 3 tries)" in done.err


def a_job_with_too_much_memory_is_ended():
    grow = "import sys\nx = []\nwhile True: x.append(bytes(1 << 20))"
    done = _run("--memory", "100M", sys.executable, "-c", grow, ":::", "1")
    assert done.status == 1 and "had more memory than --memory" in done.err
    assert _run("--memory", "500M", "echo", ":::", "1").status == 0


def halt_soon_lets_what_runs_come_to_its_end():
    done = _run("-j1", "--halt", "soon", ":::", "echo a", "false", "echo b", "echo c")
    assert (done.status, done.out) == (1, "a\n")
    assert done.err.splitlines()[-1] == "interlock run: 1 of 4 jobs failed, 2 not started"
    done = _run("-j1", "--halt", "soon,fail=2", ":::", "false", "echo b", "false", "echo c")
    assert (done.status, done.out) == (2, "b\n")


def halt_now_ends_what_runs():
    mark = f"7{os.getpid()}3"
    done = _run("-j2", "--halt", "now", ":::", f"sleep {mark}", "sleep 0.1; false", "echo c")
    assert done.status == 2 and "ended by --halt" in done.err and done.out == ""
    _gone(mark, 0)


# ---- Dependencies ----

def jobs_wait_for_those_they_name():
    file = _fresh("jobs")
    file.write_text("# a comment\n\nc after a b: echo c\na: sleep 0.2; echo a\nb after a: echo b\n")
    assert _run("-j4", "--jobs", "jobs").out == "a\nb\nc\n"
    assert _run("-j4", "-k", "--jobs", "jobs").out == "c\na\nb\n"
    assert _run("--job", "x: echo 1", "--job", "y: echo 2", "--after", "x").out == "1\n2\n"


def dependents_of_a_failure_are_skipped_and_named():
    done = _run("--job", "a: false", "--job", "b: echo b", "--after", "a",
                "--job", "c: echo c", "--after", "b", "--job", "d: echo d")
    assert (done.out, done.status) == ("d\n", 3)
    assert sorted(done.err.splitlines()[:3]) == [
        "interlock run: a: false: exit code 1",
        "interlock run: b: echo b: skipped, since a failed",
        "interlock run: c: echo c: skipped, since a failed"]
    assert done.err.splitlines()[3] == "interlock run: 1 of 4 jobs failed, 2 skipped"


def a_circle_and_a_name_that_is_not_there_are_mistakes():
    for args, words in {
        ("--job", "a: x", "--after", "b", "--job", "b: x", "--after", "a"):
            "a waits for itself, by way of others",
        ("--job", "a: x", "--after", "z"): "a waits for z, which is no job",
        ("--job", "a: x", "--job", "a: y"): "--job: there are two jobs a",
        ("--job", "nonsense"): "--job: 'nonsense' is not NAME: COMMAND",
        ("--after", "a"): "--after: comes behind the --job that waits",
    }.items():
        done = _run(*args)
        assert (done.status, done.out, done.err) == (2, "", f"interlock run: {words}\n"), args


# ---- The log ----

def the_log_has_a_line_a_job():
    log = _fresh("log")
    _run("--log", "log", ":::", "exit 4", "kill -SEGV $$", "sleep 0.1", "no-such")
    lines = {line["job"]: line for line in map(json.loads, log.read_text().splitlines())}
    assert [lines[i]["done"] for i in (1, 2, 3, 4)] == [False, False, True, False]
    assert lines[1]["exit"] == 4 and lines[2]["signal"] == "SIGSEGV" and lines[3]["exit"] == 0
    assert lines[3]["seconds"] >= 0.1 and lines[3]["cpu"] >= 0 and lines[3]["peak_kib"] > 0
    assert lines[1]["command"] == "exit 4" and lines[1]["start"].endswith("Z")


def resume_runs_what_has_not_succeeded():
    log = _fresh("log")
    _fresh("did")
    command = "echo {} >> did; [ {} != 2 ] || [ -e fixed ]"
    _fresh("fixed")
    assert _run("--log", "log", command, ":::", "1", "2", "3").status == 1
    (FOLDER / "fixed").touch()
    assert _run("--log", "log", "--resume", command, ":::", "1", "2", "3", "4", "1").status == 0
    assert sorted((FOLDER / "did").read_text().split()) == ["1", "1", "2", "2", "3", "4"]
    done = _run("--log", "log", command, ":::", "1")
    assert done.status == 2 and done.err == \
        "interlock run: log: holds an earlier run; --resume goes on with it\n"
    with log.open("a") as file:
        file.write('{"job": 9, "comm')  # a full disk
    assert _run("--log", "log", "--resume", "echo x", ":::", "5").status == 0
    assert json.loads(log.read_text().splitlines()[-1])["command"] == "echo x 5"


def killed_at_any_moment_and_resumed_each_job_succeeds_exactly_once():
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"      SEED={seed}")
    dice = random.Random(seed)
    _fresh("log")
    did = _fresh("did")
    did.touch()
    jobs = [str(i) for i in range(120)]
    args = ["run", "-j4", "--log", "log", "--resume", "sleep 0.0{}; echo {} >> did", ":::", *jobs]
    for _ in range(25):
        process = start(*args, cwd=FOLDER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                        start_new_session=True)
        try:
            process.wait(dice.uniform(0, 0.25))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert _run(*args[1:]).status == 0
    assert sorted(did.read_text().split()) == sorted(jobs)


def killed_while_nobody_reads_it_still_comes_to_its_end():
    _fresh("log")
    did = _fresh("did")
    command = "head -c 300000 /dev/zero; echo {} >> did"
    process = start("run", "-j2", "--log", "log", command, ":::", "1", "2", cwd=FOLDER,
                    stdout=subprocess.PIPE)
    process.stdout.read(1)
    process.kill()
    process.wait()
    assert _run("--log", "log", "--resume", command, ":::", "1", "2").status == 0
    process.stdout.close()
    assert sorted(did.read_text().split()) == ["1", "2"]


# ---- Nothing left ----

def killed_without_a_log_nothing_is_left():
    mark = f"7{os.getpid()}4"
    command = f"setsid sleep {mark} & sh -c 'trap \"\" TERM HUP; sleep {mark}; :'"
    process = start("run", "-j4", command, ":::", *"12345678")
    _until(lambda: len(_marked(mark)) == 8)
    process.kill()
    process.wait()
    _gone(mark)


def the_runner_killed_nothing_is_left_and_it_is_said():
    mark = f"7{os.getpid()}5"
    process = start("run", "-j2", f"setsid sleep {mark} & sleep {mark}", ":::", "1", "2",
                    stderr=subprocess.PIPE, text=True)
    _until(lambda: len(_marked(mark)) == 4)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    os.kill(int(children.split()[0]), signal.SIGKILL)
    assert "the runner was ended by signal 9" in process.communicate()[1]
    assert process.returncode == 102
    _gone(mark, 0)


def one_signal_and_everything_is_gone():
    dice = random.Random(1)
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT:
        mark = f"7{os.getpid()}6{number}"
        process = start("run", "-j8", f"trap '' INT TERM; (setsid sleep {mark} &); sleep {mark}; :",
                        ":::", *"12345678", stderr=subprocess.DEVNULL)
        if number != signal.SIGHUP:
            _until(lambda: len(_marked(mark)) == 16)
        else:
            time.sleep(dice.uniform(0, 0.2))
        process.send_signal(number)
        assert process.wait(60) == -number
        _gone(mark, 0)


def a_reader_that_does_not_read_cannot_keep_it():
    process = start("run", "-j2", "yes", ":::", "1", "2", stdout=subprocess.PIPE)
    process.stdout.read(1)
    time.sleep(0.2)  # it is stuck in a write by now, most likely
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
    process.stdout.close()


def a_terminal_shows_how_far_it_is_and_is_clean_at_the_end():
    terminal = Terminal("run", "-j2", "sleep 0.7; echo {}", ":::", "1", "2", "3", "4")
    assert terminal.read_until("jobs")
    seen, status = terminal.end()
    assert status == 0 and "%" in seen and seen.endswith("\r\x1b[K")


def stopping_it_stops_its_jobs():
    terminal = Terminal("run", "-j1", "echo begun; n={}; while :; do n=$((n+1)); done", ":::", "1",
                        on_tty=("err", "out", "in"))
    assert terminal.read_until("begun")
    terminal.type("\x1a")

    def state(pid):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    def below(pid):
        words = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(w) for w in words] + [p for w in words for p in below(int(w))]

    pids = [terminal.process.pid, *below(terminal.process.pid)]
    assert len(pids) == 3
    _until(lambda: all(state(pid) == "T" for pid in pids))
    terminal.process.send_signal(signal.SIGCONT)
    _until(lambda: all(state(pid) != "T" for pid in pids))
    terminal.type("\x03")
    assert terminal.end()[1] == -signal.SIGINT
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


# ---- Many ----

def ten_thousand_jobs_cost_little():
    numbers = "\n".join(map(str, range(10000))) + "\n"
    process = start("run", "-j2", "--log", str(_fresh("log")), "true", stdin=subprocess.PIPE)
    process.stdin.write(numbers.encode())
    process.stdin.close()
    assert process.wait() == 0
    assert len((FOLDER / "log").read_text().splitlines()) == 10000


main(globals())
