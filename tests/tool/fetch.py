#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does `interlock fetch` get the right bytes, or say honestly why not?

IL_ROUNDS says how many seeds each fault is tried with: 1 in daily use, 50 in the nightly.
"""
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request
import zlib

from tool import Terminal, interlock, main, start

ROUNDS = int(os.environ.get("IL_ROUNDS", "1"))
EXECUTORS = "inline", "threads", "processes", "loop"
FAULTS = "drop", "stall", "short", "503", "changed", "norange", "429"
BODY = bytes(range(256)) * 400  # 102,400 bytes, no two halves alike at an odd offset
DATE = "Wed, 01 Jan 2020 00:00:00 GMT"


# ---- What there is to fetch from ----

@contextlib.contextmanager
def _serve(*args):
    """interlock serve; gives its address."""
    server = start("serve", "-p", "0", *args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                   text=True)
    try:
        line = server.stdout.readline()
        found = re.search(r"http://[0-9.:]+", line)
        assert found, line
        yield found[0]
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # whoever fetches goes when it likes


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range"), self.headers))
        self.server.times.append(time.monotonic())
        self.server.answer(self)

    def send(self, body=b"", status=200, cut=None, **headers):
        """An answer; of its body only `cut` bytes, and then the end."""
        self.send_response(status)
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        headers.setdefault("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    def send_range(self, body, **headers):
        """As a good server does."""
        first = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if not first or self.headers.get("If-Range") not in (None, headers.get("ETag")):
            return self.send(body, **headers)
        at = int(first[1])
        return self.send(body[at:], status=206,
                         Content_Range=f"bytes {at}-{len(body) - 1}/{len(body)}", **headers)


@contextlib.contextmanager
def _server(answer):
    """One that answers as it is told; gives its address, and notes what it was asked."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.answer, server.asked, server.times = answer, [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def _folder():
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


def _get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def _files(folder):
    return sorted(path.name for path in folder.iterdir())


def _refused_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _fetch(*args, **more):
    return interlock("fetch", *args, **more)


def _wait_for_size(path, size):
    until = time.monotonic() + 60
    while not path.exists() or path.stat().st_size != size:
        assert time.monotonic() < until, path
        time.sleep(0.01)


def _is_png(data):
    """Every chunk's sum is right, so it is all of one version."""
    at = 8
    while at < len(data):
        size, = struct.unpack(">I", data[at:at + 4])
        end = at + 8 + size
        if zlib.crc32(data[at + 4:end]) != struct.unpack(">I", data[end:end + 4])[0]:
            return False
        at = end + 4
    return data[:8] == b"\x89PNG\r\n\x1a\n" and at == len(data)


# ---- Whole files ----

def files_come_whole_on_every_executor():
    with _serve("--images", "20", "--size", "30000") as url:
        urls = [f"{url}/images/{i}.png" for i in range(20)]
        right = [_get(one) for one in urls]
        for on in EXECUTORS:
            with _folder() as folder:
                done = _fetch("--on", on, "-d", folder, *urls)
                assert (done.status, done.out, done.err) == (0, "", ""), (on, done.err)
                assert [(folder / f"{i}.png").read_bytes() for i in range(20)] == right, on
                assert len(_files(folder)) == 20, on


def _fault_round(fault, seed, folder):
    """One run against a server with that fault; what went wrong, or None."""
    with _serve("--images", "8", "--size", "20000", "--faults", f"{fault}:0.7", "--seed",
                str(seed)) as url:
        done = _fetch("-d", folder, "--stall-timeout", "1", "--retries", "12",
                      *[f"{url}/images/{i}.png" for i in range(8)])
    if done.status or done.err:
        return f"{fault}, seed {seed}: {done.err}"
    for i in range(8):
        data = (folder / f"{i}.png").read_bytes()
        if not _is_png(data) or len(data) != 20000:
            return f"{fault}, seed {seed}: {i}.png is wrong"
        if fault != "changed" and data != RIGHT[i]:
            return f"{fault}, seed {seed}: {i}.png is another"
    if len(_files(folder)) != 8:
        return f"{fault}, seed {seed}: {_files(folder)}"
    return None


RIGHT = []


def every_fault_ends_in_the_right_bytes():
    with _serve("--images", "8", "--size", "20000") as url:
        RIGHT[:] = [_get(f"{url}/images/{i}.png") for i in range(8)]
    wrong = []

    def try_one(fault):
        for seed in range(1, ROUNDS + 1):
            with _folder() as folder:
                wrong.append(_fault_round(fault, seed, folder))

    threads = [threading.Thread(target=try_one, args=(fault,)) for fault in FAULTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == ROUNDS * len(FAULTS)
    assert not any(wrong), [one for one in wrong if one]


def without_retries_a_fault_is_told_and_no_file_has_its_name():
    faults = {"drop": "the server broke off the connection", "503": "503 Service Unavailable",
              "short": "short: 10000 of 20000 bytes came", "429": "429 Too Many Requests",
              "stall": "stalled: no byte came for too long"}
    for fault, words in faults.items():
        with _serve("--images", "1", "--size", "20000", "--faults", f"{fault}:1") as url, \
                _folder() as folder:
            done = _fetch("-d", folder, "--retries", "0", "--stall-timeout", "1",
                          f"{url}/images/0.png")
            assert done.status == 1, fault
            line = f"interlock fetch: {url}/images/0.png: {words}"
            kept = "0.png.part" in _files(folder)
            assert done.err == line + ("; 10000 bytes are kept\n" if kept else "\n"), done.err
            assert "0.png" not in _files(folder), fault
            assert kept == (fault in ("drop", "short", "stall")), fault


# ---- Going on with a part ----

def _half_then_whole(handler):
    """The first answer breaks off, later ones are good."""
    if len(handler.server.asked) == 1:
        handler.send(BODY, cut=40001, ETag='"a"')
    else:
        handler.send_range(BODY, ETag='"a"')


def a_second_run_goes_on_where_the_first_ended():
    for on in EXECUTORS:
        with _server(_half_then_whole) as server, _folder() as folder:
            first = _fetch("--on", on, "-d", folder, "--retries", "0", f"{server.url}/f")
            assert first.status == 1, on
            assert _files(folder) == ["f.part", "f.part.json"], on
            assert (folder / "f.part").read_bytes() == BODY[:40001], on
            second = _fetch("--on", on, "-d", folder, "--json", f"{server.url}/f")
            assert second.status == 0, second.err
            assert server.asked[1][1] == "bytes=40001-", on
            assert server.asked[1][2]["If-Range"] == '"a"', on
            assert _files(folder) == ["f"] and (folder / "f").read_bytes() == BODY, on
            assert json.loads(second.out)["resumed_from"] == 40001, on


def _first_part(server, folder):
    """Leaves 40,001 bytes of BODY."""
    with _server(lambda h: h.send(BODY, cut=40001, ETag='"a"')) as first:
        _fetch("-d", folder, "--retries", "0", f"{first.url}/f")
    note = json.loads((folder / "f.part.json").read_text())
    note["url"] = f"{server.url}/f"
    (folder / "f.part.json").write_text(json.dumps(note))


def what_is_no_rest_of_it_is_begun_anew():
    other = BODY[::-1]
    size = len(BODY)

    def changed(h):
        h.send_range(other, ETag='"b"')

    def ignores_ranges(h):
        h.send(other, ETag='"a"')

    def believes_too_much(h):  # a range of another version, whatever If-Range says
        if h.headers.get("Range"):
            h.send(other[40001:], status=206, ETag='"b"',
                   Content_Range=f"bytes 40001-{size - 1}/{size}")
        else:
            h.send(other, ETag='"b"')

    def starts_elsewhere(h):
        if h.headers.get("Range"):
            h.send(other[40000:], status=206, ETag='"a"',
                   Content_Range=f"bytes 40000-{size - 1}/{size}")
        else:
            h.send(other, ETag='"a"')

    def has_shrunk(h):
        if h.headers.get("Range"):
            h.send(b"", status=416, Content_Range=f"bytes */{size}")
        else:
            h.send(other, ETag='"b"')

    for answer in changed, ignores_ranges, believes_too_much, starts_elsewhere, has_shrunk:
        with _server(answer) as server, _folder() as folder:
            _first_part(server, folder)
            done = _fetch("-d", folder, f"{server.url}/f")
            assert (done.status, done.err) == (0, ""), (answer.__name__, done.err)
            assert (folder / "f").read_bytes() == other, answer.__name__
            assert _files(folder) == ["f"], answer.__name__


def a_part_of_another_url_is_not_gone_on_with():
    with _server(lambda h: h.send_range(BODY, ETag='"a"')) as server, _folder() as folder:
        _first_part(server, folder)
        done = _fetch("-d", folder, f"{server.url}/other/f")
        assert done.status == 0 and server.asked[0][1] is None
        assert (folder / "f").read_bytes() == BODY


def a_part_without_a_version_is_not_kept():
    with _server(lambda h: h.send(BODY, cut=500)) as server, _folder() as folder:
        done = _fetch("-d", folder, "--retries", "0", f"{server.url}/f")
        assert done.status == 1 and _files(folder) == [], _files(folder)


def _drip(body):
    """An answer that comes slowly, so that it can be interrupted."""
    def answer(handler):
        first = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        if first:
            handler.send_range(body, ETag='"a"')
            return
        handler.send(body, cut=len(body) // 2, ETag='"a"')
        handler.wfile.flush()
        handler.server.half.set()
        handler.server.go_on.wait(60)
    return answer


def one_ctrl_c_ends_it_and_a_second_run_goes_on():
    body = BODY * 30  # long enough to have its note from the start
    for on in EXECUTORS:
        with _server(_drip(body)) as server, _folder() as folder:
            server.half, server.go_on = threading.Event(), threading.Event()
            run = start("fetch", "--on", on, "-d", str(folder), f"{server.url}/f",
                        stderr=subprocess.PIPE, text=True, start_new_session=True)
            server.half.wait(60)
            _wait_for_size(folder / "f.part", len(body) // 2)
            os.killpg(run.pid, signal.SIGINT)
            _, err = run.communicate(timeout=60)
            server.go_on.set()
            assert run.returncode == -signal.SIGINT, (on, run.returncode)
            assert err == ("interlock fetch: 1 of 1 files are still to be fetched; "
                           "run it again to go on\n"), (on, err)
            assert _files(folder) == ["f.part", "f.part.json"], on
            done = _fetch("--on", on, "-d", folder, f"{server.url}/f")
            assert done.status == 0 and (folder / "f").read_bytes() == body, (on, done.err)
            assert server.asked[-1][1] == f"bytes={len(body) // 2}-", on


def kill_9_loses_nothing_of_a_long_file():
    body = BODY * 30
    with _server(_drip(body)) as server, _folder() as folder:
        server.half, server.go_on = threading.Event(), threading.Event()
        run = start("fetch", "-d", str(folder), f"{server.url}/f")
        server.half.wait(60)
        _wait_for_size(folder / "f.part", len(body) // 2)
        run.kill()
        run.wait()
        server.go_on.set()
        assert _fetch("-d", folder, f"{server.url}/f").status == 0
        assert (folder / "f").read_bytes() == body
        assert server.asked[-1][1] == f"bytes={len(body) // 2}-"


def two_runs_do_not_write_the_same_part():
    with _server(_drip(BODY)) as server, _folder() as folder:
        server.half, server.go_on = threading.Event(), threading.Event()
        first = start("fetch", "-d", str(folder), "--retries", "0", f"{server.url}/f",
                      stderr=subprocess.DEVNULL)
        server.half.wait(60)
        _wait_for_size(folder / "f.part", len(BODY) // 2)
        server.answer = lambda h: h.send(BODY, ETag='"a"')
        second = _fetch("-d", folder, f"{server.url}/f")
        server.go_on.set()
        first.wait()
        assert second.status == 1
        assert second.err == f"interlock fetch: {server.url}/f: another program is fetching it\n"
        assert (folder / "f.part").read_bytes() == BODY[:len(BODY) // 2]


# ---- Reasons ----

def each_failure_is_one_line_with_its_reason():
    def answer(h):
        {"/404": lambda: h.send(b"no", status=404), "/410": lambda: h.send(b"", status=410),
         "/418": lambda: h.send(b"", status=418),
         "/loop": lambda: h.send(b"", status=302, Location="/loop"),
         "/file": lambda: h.send(b"", status=302, Location="file:///etc/passwd"),
         "/nothing": lambda: setattr(h, "close_connection", True),
         "/garbage": lambda: (h.wfile.write(b"\0\1\2 what\r\n\r\n"),
                              setattr(h, "close_connection", True)),
         }.get(h.path, lambda: h.send(BODY))()

    port = _refused_port()
    with _server(answer) as server, _folder() as folder:
        reasons = {
            f"{server.url}/404": "404 Not Found", f"{server.url}/410": "410 Gone",
            f"{server.url}/418": "418", f"{server.url}/loop": "too many redirects",
            f"{server.url}/file": "redirected to what is no URL of HTTP",
            f"{server.url}/nothing": "the server broke off the connection",
            f"{server.url}/garbage": "no HTTP: ",
            f"http://127.0.0.1:{port}/": f"connection refused by 127.0.0.1:{port}",
            "http://name.invalid/": "name not found: name.invalid",
        }
        done = _fetch("-d", folder, "--retries", "0", *reasons, f"{server.url}/good")
        lines = sorted(done.err.splitlines()[:-1])
        assert done.err.splitlines()[-1] == "interlock fetch: 9 of 10 files failed"
        expected = sorted(f"interlock fetch: {url}: {reason}" for url, reason in reasons.items())
        assert len(lines) == len(expected) and all(
            map(str.startswith, lines, expected)), (lines, expected)
        assert done.status == 1 and _files(folder) == ["good"], _files(folder)


def exit_code_is_not_hidden_by_a_later_success():
    def answer(h):
        h.send(b"", status=404) if h.path == "/bad" else h.send(BODY)

    with _server(answer) as server:
        for on in EXECUTORS:
            with _folder() as folder:
                done = _fetch("--on", on, "-j1", "-d", folder, f"{server.url}/bad",
                              *[f"{server.url}/{i}" for i in range(3)])
                assert done.status == 1 and len(_files(folder)) == 3, on


def a_full_disk_is_told():
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))

    for on in "inline", "threads", "loop": # what processes share is limited by that, too
        with _server(lambda h: h.send(BODY, ETag='"a"')) as server, _folder() as folder:
            done = _fetch("--on", on, "-d", folder, f"{server.url}/f", preexec_fn=limit)
            words = "cannot write the file: File too large"
            assert done.err == f"interlock fetch: {server.url}/f: {words}\n", (on, done.err)
            assert done.status == 1 and "f" not in _files(folder), on


def a_checksum_is_checked():
    sums = [("sha256:" + hashlib.sha256(BODY).hexdigest(), True),
            ("sha512:" + hashlib.sha512(BODY).hexdigest().upper(), True),
            (hashlib.sha256(BODY).hexdigest(), True),
            ("sha256:" + hashlib.sha256(b"").hexdigest(), False)]
    with _server(lambda h: h.send(BODY, ETag='"a"')) as server:
        for value, good in sums:
            with _folder() as folder:
                done = _fetch("-d", folder, "--checksum", value, f"{server.url}/f")
                assert done.status == (0 if good else 1), value
                assert _files(folder) == (["f"] if good else []), value
                if not good:
                    assert done.err.endswith("/f: the checksum is another: thrown away\n"), done.err


def a_wrong_part_is_found_by_the_checksum_and_begun_anew():
    good = hashlib.sha256(BODY).hexdigest()
    with _server(lambda h: h.send_range(BODY, ETag='"a"')) as server, _folder() as folder:
        _first_part(server, folder)
        (folder / "f.part").write_bytes(b"x" * 40001)
        done = _fetch("-d", folder, "--checksum", good, f"{server.url}/f")
        assert (done.status, done.err) == (0, ""), done.err
        assert (folder / "f").read_bytes() == BODY


def https_is_verified_unless_told():
    if not shutil.which("openssl"):
        print("      no openssl to make a certificate with")
        return
    with _folder() as keys, _folder() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-keyout", keys / "k", "-out", keys / "c"],
                       check=True, capture_output=True)
        import ssl  # pylint: disable=import-outside-toplevel
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(keys / "c", keys / "k")
        with _server(lambda h: h.send(BODY)) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            url = server.url.replace("http:", "https:") + "/f"
            done = _fetch("-d", folder, url)
            assert done.status == 1 and _files(folder) == []
            assert done.err.startswith(f"interlock fetch: {url}: not secure: "), done.err
            assert done.err.count("\n") == 1 and "attempts" not in done.err
            done = _fetch("-d", folder, "--insecure", url)
            assert done.status == 0 and (folder / "f").read_bytes() == BODY, done.err


# ---- Politeness ----

def retry_after_is_honoured():
    def answer(h):
        first = len(h.server.asked) == 1
        h.send(b"", status=503, Retry_After="1") if first else h.send(BODY)

    with _server(answer) as server, _folder() as folder:
        done = _fetch("-d", folder, f"{server.url}/f")
        assert done.status == 0, done.err
        assert server.times[1] - server.times[0] >= 0.95, server.times


def a_server_that_asks_for_an_hour_is_not_waited_for():
    with _server(lambda h: h.send(b"", status=429, Retry_After="3600")) as server, \
            _folder() as folder:
        done = _fetch("-d", folder, f"{server.url}/f")
        assert done.status == 1 and len(server.asked) == 1
        assert done.err == f"interlock fetch: {server.url}/f: 429 Too Many Requests\n", done.err


def no_host_gets_more_than_it_should():
    def answer(h):
        with h.server.lock:
            h.server.now += 1
            h.server.most = max(h.server.most, h.server.now)
        time.sleep(0.005)
        with h.server.lock:
            h.server.now -= 1
        h.send(b"x")

    for on in "threads", "loop":
        with _server(answer) as server, _folder() as folder:
            server.lock, server.now, server.most = threading.Lock(), 0, 0
            done = _fetch("--on", on, "-j16", "--per-host", "3", "-d", folder,
                          *[f"{server.url}/{i}" for i in range(60)])
            assert done.status == 0 and server.most == 3, (on, server.most)


def a_host_that_is_busy_gets_less():
    def answer(h):
        with h.server.lock:
            h.server.now += 1
            over = h.server.now > 2
        time.sleep(0.02)
        with h.server.lock:
            h.server.now -= 1
        if over:
            h.server.refused += 1
            h.send(b"", status=429)
        else:
            h.send(b"x")

    with _server(answer) as server, _folder() as folder:
        server.lock, server.now, server.refused = threading.Lock(), 0, 0
        done = _fetch("-d", folder, "--retries", "20", *[f"{server.url}/{i}" for i in range(24)])
        assert done.status == 0, done.err
        assert len(_files(folder)) == 24 and server.refused < 24, server.refused


# ---- Names ----

def names_stay_in_the_folder_and_are_harmless():
    names = {"/a/b.txt": "b.txt", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd": "_._.._etc_passwd",
             "/..%2f..": "_._..", "/.bashrc": "_bashrc", "/-rf": "_rf", "/": "index.html",
             "/x%00y%0az": "x_y_z", "/q?a=b/c#d": "q", "/x.part": "x.part_",
             "/caf%C3%A9": "café", "/" + "n" * 400: "n" * 234, "/%zz": "%zz"}
    with _server(lambda h: h.send(h.path.encode())) as server, _folder() as folder:
        inside = folder / "in"
        done = _fetch("-d", inside, *[server.url + path for path in names])
        assert done.status == 0, done.err
        assert _files(inside) == sorted(names.values()), _files(inside)
        assert _files(folder) == ["in"]


def same_names_are_numbered():
    with _server(lambda h: h.send(h.path.encode())) as server, _folder() as folder:
        done = _fetch("-d", folder, *[f"{server.url}/{d}/a.tar.gz" for d in "xyz"])
        assert done.status == 0
        assert _files(folder) == ["a.tar-2.gz", "a.tar-3.gz", "a.tar.gz"]
        assert (folder / "a.tar-2.gz").read_text() == "/y/a.tar.gz"


def server_names_are_made_harmless():
    fields = {"/1": ('attachment; filename="one two.bin"', "one two.bin"),
              "/2": ('attachment; filename="../../up"', "_._.._up"),
              "/3": ("attachment; filename*=UTF-8''caf%C3%A9", "café"),
              "/4": ("inline", "4"), "/5": ('attachment; filename=""', "5"),
              "/6": ("attachment; filename=plain", "plain")}
    with _server(lambda h: h.send(b"x", Content_Disposition=fields[h.path][0])) as server, \
            _folder() as folder:
        done = _fetch("-d", folder, "--server-names", *[server.url + path for path in fields])
        assert done.status == 0, done.err
        assert _files(folder) == sorted(name for _, name in fields.values()), _files(folder)


def lists_have_names_and_checksums():
    digest = hashlib.sha256(BODY).hexdigest()
    with _server(lambda h: h.send(BODY)) as server, _folder() as folder:
        text = (f"# some files\n\n{server.url}/a\n  {server.url}/b  name.b\n"
                f"{server.url}/c sha256:{digest}\r\n{server.url}/d name.d {digest}\n")
        done = _fetch("-i", "-", "-d", folder, text=text)
        assert done.status == 0, done.err
        assert _files(folder) == ["a", "c", "name.b", "name.d"]
        (folder / "list").write_text(text)
        done = _fetch("-i", folder / "list", "-d", folder / "more")
        assert done.status == 0 and len(_files(folder / "more")) == 4


def wrong_lines_are_one_exact_line_and_exit_2():
    url = "http://127.0.0.1:9/x"
    for text, words in {
            "ftp://x/y\n": "-:1: 'ftp://x/y' is no URL of http or https",
            f"{url}\n{url} ../up\n": "-:2: '../up' is no name for a file",
            f"{url} a\n{url} a\n": "-:2: 'a' is the name of another file",
            f"{url} a sha1:00\n": "-:1: 'sha1:00' is no sha256:... or sha512:...",
            f"{url} a b c\n": "-:1: more than URL, name and checksum",
            f"{url} a.part\n": "-:1: 'a.part' is no name for a file"}.items():
        with _folder() as folder:
            done = _fetch("-i", "-", "-d", folder / "new", text=text)
            assert (done.status, done.err) == (2, f"interlock fetch: {words}\n"), done.err
            assert _files(folder) == []


def a_second_run_asks_only_for_what_is_newer():
    def answer(h):
        if h.headers.get("If-Modified-Since") == DATE:
            h.send(b"", status=304)
        else:
            h.send(BODY, Last_Modified=DATE)

    with _server(answer) as server, _folder() as folder:
        for state in "done", "unchanged":
            done = _fetch("-d", folder, "--json", f"{server.url}/f")
            assert done.status == 0 and json.loads(done.out)["state"] == state
            assert (folder / "f").read_bytes() == BODY
        _fetch("-d", folder, "--keep", f"{server.url}/f")
        assert len(server.asked) == 2


# ---- Words ----

def json_is_an_object_a_file():
    def answer(h):
        if h.path == "/r":
            h.send(b"", status=302, Location="/f")
        else:
            h.send(BODY) if h.path == "/f" else h.send(b"", status=404)

    with _server(answer) as server, _folder() as folder:
        done = _fetch("-d", folder, "--json", f"{server.url}/r", f"{server.url}/n")
        found = {one["file"]: one for one in map(json.loads, done.out.splitlines())}
        assert done.status == 1 and set(found) == {"r", "n"}
        good, bad = found["r"], found["n"]
        assert good["state"] == "done" and good["bytes"] == len(BODY) and good["status"] == 200
        assert good["redirected_to"] == f"{server.url}/f" and "reason" not in good
        assert bad["state"] == "failed" and bad["reason"] == "404 Not Found"
        seconds = good["seconds"]
        assert 0 < seconds["first_byte"] <= seconds["total"]
        assert set(seconds) == {"redirects", "name", "connect", "tls", "first_byte", "body",
                                "total"}


def timing_is_a_line_a_file():
    with _server(lambda h: h.send(BODY)) as server, _folder() as folder:
        lines = _fetch("-d", folder, "--timing", f"{server.url}/a",
                       f"{server.url}/b").out.splitlines()
        assert lines[0].split() == ["name", "connect", "TLS", "first", "body", "total", "ms",
                                    "bytes", "file"]
        assert sorted(line.split()[-1] for line in lines[1:]) == ["a", "b"]
        for line in lines[1:]:
            *steps, total, size, _ = line.split()
            assert abs(sum(map(float, steps)) - float(total)) < 1 and size == str(len(BODY))


def bars_are_drawn_on_a_terminal_and_gone_afterwards():
    with _serve("--images", "3", "--size", "60000", "--bandwidth", "40000") as url, \
            _folder() as folder:
        terminal = Terminal("fetch", "-d", str(folder),
                            *[f"{url}/images/{i}.png" for i in range(3)], columns=100)
        assert terminal.read_until("0.png"), terminal.seen
        text, status = terminal.end()
        assert status == 0 and "█" in text and "kB/s" in text and "left" in text
        assert text.splitlines()[-1].endswith("B/s") and "3 files, 180 kB" in text, text


def without_a_terminal_nothing_is_drawn():
    with _serve("--images", "1", "--size", "60000", "--bandwidth", "60000") as url, \
            _folder() as folder:
        done = _fetch("-d", folder, f"{url}/images/0.png")
        assert (done.status, done.out, done.err) == (0, "", "")


main(globals())
