#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does `interlock serve` speak HTTP as it should, keep its folder to itself, and cause just the
trouble that it was asked for?"""
import contextlib
import hashlib
import html.parser
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import urllib.parse
import zlib

from tool import TOOL, interlock, main, start

OUTSIDE = "what nobody may see"


class _Server:
    """One that runs while it is used; `said` has what it printed afterwards."""

    def __init__(self, *args):
        self.process = start("serve", *args, "--port", "0", "--json", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        self.said = []

    def __enter__(self):
        first = self.process.stdout.readline()
        assert first, self.process.stderr.read()
        about = json.loads(first)
        self.url, self.port = about["url"], about["port"]
        return self

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGINT)
        out, self.err = self.process.communicate(timeout=60)
        self.said = [json.loads(line) for line in out.splitlines()]
        if kind is None:
            assert self.process.returncode == 0 and self.err == "", (self.process.returncode,
                                                                     self.err)

    @property
    def totals(self):
        return self.said[-1]

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, path, method="GET", body=None, connection=None, **headers):
        """Status, headers, body. Words of a header's name are parted by _."""
        one = connection or self.connect()
        one.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = one.getresponse()
        data = answer.read()
        if not connection:
            one.close()
        return answer.status, answer.headers, data

    def raw(self, text):
        """All that it answers to these bytes until it closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as plain:
            plain.sendall(text if isinstance(text, bytes) else text.encode())
            got = b""
            with contextlib.suppress(OSError):  # it may have closed already, with an answer
                plain.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while more := plain.recv(65536):
                    got += more
        return got

    def status_of(self, target):
        """Of a target that no client library would send."""
        return int(self.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                   .split(b" ", 2)[1])


@contextlib.contextmanager
def _folder():
    with tempfile.TemporaryDirectory() as top:
        root = os.path.join(top, "root")
        os.makedirs(os.path.join(root, "sub", "deep"))
        os.makedirs(os.path.join(root, "indexed"))
        os.makedirs(os.path.join(root, "a <b> & c"))
        for name, text in {
                "root/digits.txt": "0123456789", "root/empty.txt": "", "secret.txt": OUTSIDE,
                "root/indexed/index.html": "<p>index", "root/a b#c?.html": "odd",
                "root/sub/deep/x.css": "body {}", "root/no-ending": "?", "root/two..dots": "dots",
                "root/PICTURE.PNG": "no picture"}.items():
            with open(os.path.join(top, name), "w", encoding="ascii") as file:
                file.write(text)
        os.symlink("../secret.txt", os.path.join(root, "out"))
        os.symlink(os.path.join(top, "secret.txt"), os.path.join(root, "out-absolute"))
        os.symlink("..", os.path.join(root, "up"))
        os.symlink("digits.txt", os.path.join(root, "within"))
        os.symlink("loop", os.path.join(root, "loop"))
        os.mkfifo(os.path.join(root, "pipe"))
        yield root


# ---- Files ----

def files_have_their_bytes_and_types():
    with _folder() as root, _Server(root) as server:
        for path, kind, text in (("/digits.txt", "text/plain", b"0123456789"),
                                 ("/sub/deep/x.css", "text/css", b"body {}"),
                                 ("/a%20b%23c%3f.html?query=1", "text/html", b"odd"),
                                 ("/no-ending", "application/octet-stream", b"?"),
                                 ("/two..dots", "application/octet-stream", b"dots"),
                                 ("/PICTURE.PNG", "image/png", b"no picture"),
                                 ("/empty.txt", None, b""), ("//digits.txt", "text/plain", None),
                                 (f"{server.url}/digits.txt", "text/plain", b"0123456789"),
                                 ("/within", "application/octet-stream", b"0123456789")):
            status, headers, body = server.ask(path)
            assert status == 200, (path, status)
            assert (headers["Content-Type"] or "").split(";")[0] == (kind or ""), (path, headers)
            assert text is None or body == text, (path, body)


def folders_have_an_index_or_a_list():
    with _folder() as root, _Server(root) as server:
        assert server.ask("/indexed/")[2] == b"<p>index"
        status, headers, _ = server.ask("/a%20%3Cb%3E%20&%20c")
        assert (status, headers["Location"]) == (301, "/a%20%3Cb%3E%20%26%20c/")
        status, headers, body = server.ask("/")
        assert status == 200 and headers["Content-Type"].startswith("text/html")
        for part in (b'href="./sub/"', b'href="./a%20b%23c%3F.html"', b'"./a%20%3Cb%3E%20%26%20c/"',
                     b"a &lt;b&gt; &amp; c/"):
            assert part in body, (part, body)
        assert b"<b>" not in body and b'"../"' not in body
        assert b'"../"' in server.ask("/sub/")[2]


def nothing_outside_the_folder_is_ever_served():
    with _folder() as root, _Server(root) as server:
        for target in ("/../secret.txt", "/%2e%2e/secret.txt", "/sub/../../secret.txt", "/..", "/.",
                       "/sub/./deep/x.css", "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt",
                       "/sub%2fdeep/x.css", "/digits.txt%00.png", "/%00", "/%", "/%4", "/%zz",
                       "secret.txt", "*", "http://x/../secret.txt"):
            assert server.status_of(target) in (400, 404), target
        for target in ("/out", "/out-absolute", "/up/secret.txt", "/up/", "/loop", "/pipe",
                       "/digits.txt/", "/nowhere", "/" + "x" * 300, "/digits.txt/x",
                       "/..;/secret.txt", "/...", "/proc/self/environ"):
            status, _, body = server.ask(target)
            assert status == 404 and OUTSIDE.encode() not in body, (target, status)
        assert server.ask("/%ff%fe")[0] == 404


def head_is_get_without_the_body():
    with _folder() as root, _Server(root, "--images", "2") as server:
        for path in "/digits.txt", "/images/1.png", "/", "/nowhere", "/sub":
            get, head = server.ask(path), server.ask(path, "HEAD")
            assert get[0] == head[0] and head[2] == b"" and get[2] != b""
            for name in "Content-Length", "Content-Type", "ETag", "Last-Modified", "Location":
                assert get[1][name] == head[1][name], (path, name)
        assert server.ask("/digits.txt", "HEAD", Range="bytes=0-1")[0] == 200


def ranges_are_those_of_rfc_9110():
    with _folder() as root, _Server(root) as server:
        for wanted, status, body, where in (
                ("bytes=0-3", 206, b"0123", "bytes 0-3/10"), ("bytes=7-", 206, b"789", "bytes 7-9/10"),
                ("bytes=-2", 206, b"89", "bytes 8-9/10"), ("BYTES=9-9", 206, b"9", "bytes 9-9/10"),
                ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
                ("bytes=5-99999999999999999999999", 206, b"56789", "bytes 5-9/10"),
                ("bytes= 1-2 ,", 206, b"12", "bytes 1-2/10"),
                ("bytes=10-", 416, None, "bytes */10"), ("bytes=-0", 416, None, "bytes */10"),
                ("bytes=20-30,40-", 416, None, "bytes */10"),
                ("bytes=3-1", 200, b"0123456789", None), ("bytes=x", 200, b"0123456789", None),
                ("bytes=1-2,x", 200, b"0123456789", None), ("bytes=", 200, b"0123456789", None),
                ("lines=1-2", 200, b"0123456789", None), ("bytes=--1", 200, b"0123456789", None),
                ("bytes=0-9,0-9", 200, b"0123456789", None)):
            got, headers, data = server.ask("/digits.txt", Range=wanted)
            assert got == status and headers["Content-Range"] == where, (wanted, got, headers)
            assert body is None or data == body, (wanted, data)
        assert server.ask("/digits.txt", Range="bytes=" + "1-1," * 20)[0] == 200
        assert server.ask("/empty.txt", Range="bytes=0-")[0] == 416


def several_ranges_come_in_parts():
    with _folder() as root, _Server(root) as server:
        status, headers, body = server.ask("/digits.txt", Range="bytes=0-1,50-,-3")
        kind, _, boundary = headers["Content-Type"].partition("; boundary=")
        assert (status, kind) == (206, "multipart/byteranges")
        assert headers["Content-Range"] is None
        parts = body.split(b"--" + boundary.encode())
        assert len(parts) == 4 and parts[0].strip() == b"" and parts[3] == b"--\r\n", parts
        for part, where, data in (parts[1], "0-1", b"01"), (parts[2], "7-9", b"789"):
            head, _, rest = part.partition(b"\r\n\r\n")
            assert f"Content-Range: bytes {where}/10".encode() in head and rest == data + b"\r\n"


def conditions_are_those_of_rfc_9110():
    with _folder() as root, _Server(root) as server:
        _, headers, _ = server.ask("/digits.txt")
        tag, date = headers["ETag"], headers["Last-Modified"]
        old, new = "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
        for given, status in (
                ({"If_None_Match": tag}, 304), ({"If_None_Match": f'"x", W/{tag}'}, 304),
                ({"If_None_Match": "*"}, 304), ({"If_None_Match": '"x"'}, 200),
                ({"If_None_Match": '"x"', "If_Modified_Since": new}, 200),
                ({"If_Modified_Since": date}, 304), ({"If_Modified_Since": old}, 200),
                ({"If_Modified_Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 200),
                ({"If_Modified_Since": "never"}, 200), ({"If_Match": tag}, 200),
                ({"If_Match": '"x"'}, 412), ({"If_Match": f"W/{tag}"}, 412), ({"If_Match": "*"}, 200),
                ({"If_Unmodified_Since": old}, 412), ({"If_Unmodified_Since": date}, 200),
                ({"If_Match": tag, "If_Unmodified_Since": old}, 200),
                ({"If_Match": '"x"', "Range": "bytes=0-0"}, 412),
                ({"If_None_Match": tag, "Range": "bytes=0-0"}, 304),
                ({"Range": "bytes=0-0", "If_Range": tag}, 206),
                ({"Range": "bytes=0-0", "If_Range": date}, 206),
                ({"Range": "bytes=0-0", "If_Range": f"W/{tag}"}, 200),
                ({"Range": "bytes=0-0", "If_Range": '"x"'}, 200),
                ({"Range": "bytes=0-0", "If_Range": old}, 200)):
            got, headers, body = server.ask("/digits.txt", **given)
            assert got == status, (given, got)
            assert headers["ETag"] == tag or status == 412
            assert status != 304 or (body, headers["Content-Length"]) == (b"", "10")
        with open(os.path.join(root, "digits.txt"), "w", encoding="ascii") as file:
            file.write("another")
        assert server.ask("/digits.txt")[1]["ETag"] != tag


# ---- Routes and limits ----

def routes_greet_the_world_and_whoever_is_named():
    with _Server("--hello") as server:
        assert server.ask("/")[2] == b"Hello, world\n"
        assert server.ask("/J%C3%BCrgen")[2] == "Hello, Jürgen\n".encode()
        assert server.ask("/", "POST", b"Ada")[2] == b"Hello, Ada\n"
        assert server.ask("/a/b")[0] == 404
        status, headers, _ = server.ask("/", "DELETE")
        assert (status, headers["Allow"]) == (405, "GET, HEAD, POST")
        status, headers, _ = server.ask("/Ada", "POST", b"x")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


def what_is_too_large_is_refused():
    with _Server("--hello", "--max-body", "100", "--max-header", "2000") as server:
        assert server.ask("/", "POST", b"x" * 100)[0] == 200
        assert server.ask("/", "POST", b"x" * 101)[0] == 413
        assert server.ask("/", "POST", iter([b"x" * 60] * 3))[0] == 413  # in chunks
        status = server.raw("GET / HTTP/1.1\r\nHost: x\r\nX: " + "y" * 5000 + "\r\n\r\n")
        assert status.split(b" ")[1] in (b"431", b"413"), status
        assert server.ask("/")[0] == 200


def garbage_is_a_bad_request_and_no_more():
    with _Server("--hello") as server:
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"GET nothing HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"):
            assert server.raw(text).split(b" ")[1] == b"400", text
        for text in b"\0\1\2\3\r\n\r\n", b"\xff" * 1000, b"GET", b"":
            server.raw(text)
        assert server.ask("/")[0] == 200


def a_connection_is_kept_for_the_next_request():
    with _Server("--hello") as server:
        one = server.connect()
        for i in range(20):
            assert server.ask(f"/{i}", connection=one)[2] == f"Hello, {i}\n".encode()
        one.close()
        both = server.raw("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
                          "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"Hello, a" in both and b"Hello, b" in both
    assert (server.totals["requests"], server.totals["connections"]) == (22, 2)


# ---- Pictures and pages ----

def _check_png(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, pixels = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            width, height = struct.unpack(">II", chunk[:8])
            assert chunk[8:] == b"\x08\x02\0\0\0"
        if kind == b"IDAT":
            pixels += chunk
        at += 12 + size
    assert kind == b"IEND" and len(zlib.decompress(pixels)) == height * (1 + 3 * width)


def pictures_are_valid_and_of_the_size_that_was_asked_for():
    for size in 256, 277, 290, 1000, 20000, 300_001, 3_000_000:
        with _Server("--images", "3", "--size", str(size)) as server:
            data = server.ask("/images/2.png")[2]
            assert len(data) == size
            _check_png(data)


def pictures_differ_and_are_the_same_each_time():
    sums = []
    for _ in range(2):
        with _Server("--images", "300", "--size", "256") as server:
            one = server.connect()
            sums.append([hashlib.sha256(server.ask(f"/images/{i}.png", connection=one)[2]).digest()
                         for i in range(300)])
            one.close()
            for path in "/images/300.png", "/images/-1.png", "/images/01.png", "/images/x.png":
                assert server.ask(path)[0] == 404
    assert sums[0] == sums[1] and len(set(sums[0])) == 300


def any_part_of_a_picture_is_that_part():
    for size in 20000, 400_000:
        with _Server("--images", "1", "--size", str(size)) as server:
            whole = server.ask("/images/0.png")[2]
            for first in 0, 1, 40, 70, 1000, size // 2, size - 40, size - 24, size - 13, size - 1:
                for last in first, first + 1, first + 900, size - 1:
                    got = server.ask("/images/0.png", Range=f"bytes={first}-{last}")[2]
                    assert got == whole[first:last + 1], (first, last)


def pictures_are_listed_for_people_and_for_programs():
    with _Server("--images", "12") as server:
        urls = server.ask("/images.txt")[2].decode().split()
        assert urls == [f"http://127.0.0.1:{server.port}/images/{i}.png" for i in range(12)]
        for path in "/", "/images/":
            page = server.ask(path)[2].decode()
            assert all(f'href="/images/{i}.png"' in page for i in range(12))


class _Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links = []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name == "href"]


def _crawl(server):
    """Everything that links lead to, with the status of each."""
    seen, left = {}, ["/"]
    one = server.connect()
    while left:
        path = left.pop()
        if path in seen:
            continue
        status, headers, body = server.ask(path, connection=one)
        seen[path] = status
        links = _Links()
        if status == 200:
            links.feed(body.decode())
        for link in links.links + ([headers["Location"]] if status == 301 else []):
            url = urllib.parse.urlsplit(urllib.parse.urljoin(f"http://x{path}", link))
            if url.scheme == "http":
                left.append(url.path)
    one.close()
    return seen


def every_page_can_be_found_and_all_that_is_odd_is_counted():
    for pages in 1, 2, 30, 400:
        with _Server("--pages", str(pages)) as server:
            about = json.loads(server.ask("/site.json")[2])
            robots = server.ask("/robots.txt")[2]
            seen = _crawl(server)
        assert b"Disallow: /private/" in robots

        def count(prefix, status):
            return sum(p.startswith(prefix) and s == status for p, s in seen.items())

        assert about == {"pages": seen.get("/") == 200 and 1 + count("/page/", 200),
                         "old": count("/old/", 301), "missing": count("/missing/", 404),
                         "error": count("/error/", 500), "private": count("/private/", 200) // 2,
                         "loops": count("/loop/", 301) // 2}, (pages, about)
        assert about["pages"] == pages and len(seen) == sum(about.values()) + about["private"] + (
            about["loops"])


def pages_are_the_same_each_time_however_many_there_are():
    pages = []
    for _ in range(2):
        with _Server("--pages", "1000000000") as server:
            pages.append(server.ask("/page/999999999")[2])
            assert server.ask("/page/1000000000")[0] == 404
    assert pages[0] == pages[1] and b"Page 999999999" in pages[0]


def folder_pictures_and_pages_go_together():
    with _folder() as root, _Server(root, "--images", "5", "--pages", "9") as server:
        assert b"digits.txt" in server.ask("/")[2]
        assert server.ask("/digits.txt")[0] == server.ask("/images/4.png")[0] == 200
        assert b'src="/images/3.png"' in server.ask("/page/8")[2]


# ---- Time ----

def an_answer_takes_its_latency():
    with _Server("--images", "1", "--latency", "300", "--verbose") as server:
        for path in "/images/0.png", "/nowhere":
            began = time.monotonic()
            server.ask(path)
            assert time.monotonic() - began >= 0.3
    assert all(line["ms"] >= 300 for line in server.said[:-1]), server.said


def many_wait_at_once_on_one_thread():
    with _Server("--images", "1", "--latency", "2000") as server:
        all_of_them = [server.connect() for _ in range(100)]
        for one in all_of_them:
            one.request("GET", "/images/0.png")
        with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
            threads = [line.split()[1] for line in status if line.startswith("Threads")]
        for one in all_of_them:
            assert len(one.getresponse().read()) == 20000
            one.close()
    # Under a sanitizer there may be one more.
    assert int(threads[0]) <= 2 and server.totals["most_at_once"] > 50, (threads, server.totals)


def bandwidth_is_not_exceeded():
    with _Server("--images", "1", "--bandwidth", "50000") as server:
        began = time.monotonic()
        assert len(server.ask("/images/0.png")[2]) == 20000
        assert time.monotonic() - began >= 0.39


def who_asks_too_often_is_told_so():
    with _Server("--images", "1", "--rate", "2", "--retry-after", "7") as server:
        one = server.connect()
        answers = [server.ask("/images/0.png", connection=one) for _ in range(40)]
        one.close()
    refused = [headers for status, headers, _ in answers if status == 429]
    assert answers[0][0] == answers[1][0] == 200
    assert refused and all(headers["Retry-After"] == "7" for headers in refused)


# ---- Faults ----

def _try(server, path, **headers):
    """How it went: status, bytes, and "" or what went wrong."""
    one = server.connect()
    one.timeout = 1
    try:
        one.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = one.getresponse()
        got, wrong = b"", ""
        try:
            while more := answer.read1(65536):
                got += more
            if len(got) < int(answer.headers["Content-Length"]):
                wrong = "short"
        except ConnectionResetError:
            wrong = "reset"
        except TimeoutError:
            wrong = "stall"
        return answer.status, got, wrong, answer.headers
    finally:
        one.close()


def each_fault_is_what_it_says():
    for fault, status, wrong in (("drop", 200, "reset"), ("stall", 200, "stall"),
                                 ("short", 200, "short"), ("503", 503, ""), ("429", 429, ""),
                                 ("changed", 200, "short"), ("norange", 200, "short")):
        with _Server("--images", "1", "--faults", f"{fault}:1", "--verbose") as server:
            got = _try(server, "/images/0.png")
            assert (got[0], got[2]) == (status, wrong), (fault, got)
            assert len(got[1]) == 10000 or status != 200
            assert got[3]["Retry-After"] == (None if status == 200 else "1")
        assert server.said[0]["fault"] == fault and server.totals["faults"] == 1
        assert server.said[0]["whole"] == (status != 200)


def faults_are_those_of_the_seed_and_trying_again_helps():
    def victims(seed):
        with _Server("--images", "60", "--faults", "503:0.5", "--seed", seed) as server:
            one = server.connect()
            first = [server.ask(f"/images/{i}.png", connection=one)[0] for i in range(60)]
            for i in range(60):
                tries = 1
                while server.ask(f"/images/{i}.png", connection=one)[0] != 200:
                    tries += 1
                    assert tries < 60
            one.close()
            return first

    first = victims("5")
    assert first == victims("5") != victims("6")
    assert 10 < first.count(503) < 50


def what_changed_has_another_tag_and_other_bytes():
    with _Server("--images", "1", "--faults", "changed:1") as server:
        _, part, _, headers = _try(server, "/images/0.png")
        tag = headers["ETag"]
        status, rest, _, headers = _try(server, "/images/0.png", Range="bytes=10000-", If_Range=tag)
        assert status == 200 and headers["ETag"] != tag and rest[:10000] != part
    with _folder() as root, _Server(root, "--faults", "changed:1") as server:
        tag = _try(server, "/digits.txt")[3]["ETag"]
        assert _try(server, "/digits.txt")[3]["ETag"] != tag


def ranges_that_are_ignored_bring_all_of_it():
    with _Server("--images", "1", "--faults", "norange:1") as server:
        part = _try(server, "/images/0.png")[1]
        got = b""
        while len(got) < 20000:
            status, got, _, headers = _try(server, "/images/0.png", Range="bytes=10000-")
            assert status == 200 and headers["Accept-Ranges"] is None
        assert got[:10000] == part


# ---- The command ----

def both_signals_end_it_in_order_at_once():
    for number in signal.SIGINT, signal.SIGTERM:
        process = start("serve", "--images", "1", "--port", "0", "--latency", "3600000",
                        stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        port = int(line.split(":")[2].split("/")[0])
        waiting = socket.create_connection(("127.0.0.1", port))
        waiting.sendall(b"GET /images/0.png HTTP/1.1\r\nHost: x\r\n\r\n")
        idle = socket.create_connection(("127.0.0.1", port))
        idle.sendall(b"GET / HT")
        time.sleep(0.2)  # sleeps: so that it has seen them
        began = time.monotonic()
        process.send_signal(number)
        rest = process.communicate(timeout=60)[0]
        assert process.returncode == 0 and time.monotonic() - began < 10
        assert waiting.recv(100).startswith(b"HTTP/1.1 200")
        assert rest.startswith("1 request") and rest.count("\n") == 1, rest
        waiting.close()
        idle.close()


def lines_tell_of_each_request():
    process = start("serve", "--hello", "--port", "0", "-v", stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.startswith("Serving greetings at http://127.0.0.1:"), line
    port = int(line.split(":")[2].split("/")[0])
    one = http.client.HTTPConnection("127.0.0.1", port)
    one.request("GET", "/%1b%5b2J%0aevil")
    one.getresponse().read()
    assert process.stdout.readline().startswith("127.0.0.1 GET /%1B%5B2J%0Aevil 200 ")
    one.close()
    process.terminate()
    process.communicate()


def https_is_spoken_with_a_certificate():
    if not shutil.which("openssl"):
        print("      (no openssl to make a certificate with)")
        return
    with tempfile.TemporaryDirectory() as top:
        cert, key = os.path.join(top, "cert"), os.path.join(top, "key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        with _Server("--images", "2", "--latency", "20", "--tls-cert", cert,
                    "--tls-key", key) as server:
            assert server.url.startswith("https://")
            trusted = ssl.create_default_context(cafile=cert)
            one = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusted)
            for i in 0, 1, 0:
                one.request("GET", f"/images/{i}.png")
                _check_png(one.getresponse().read())
            one.close()
        done = interlock("serve", "--images", "2", "--port", "0", "--tls-cert", key, "--tls-key", key)
        assert done.status == 1 and done.err.count("\n") == 1, done.err


def what_is_wrong_is_one_line():
    with _Server("--hello") as server:
        for args, status, words in (
                ([], 2, "nothing to serve"), (["/nowhere"], 1, "/nowhere: No such file"),
                ([TOOL], 1, "Not a directory"), (["a", "b"], 2, "'b': one folder at a time"),
                (["--hello", "--images", "1"], 2, "--hello"), (["--images", "0"], 2, "--images"),
                (["--images", "1", "--size", "10"], 2, "--size"),
                (["--images", "1", "--faults", "fire"], 2, "--faults: 'fire'"),
                (["--images", "1", "--faults", "drop:2"], 2, "--faults: 'drop:2'"),
                (["--images", "1", "--faults", "drop:0.6,503:0.6"], 2, "more than 1"),
                (["--images", "1", "--faults", ""], 2, "--faults"),
                (["--images", "1", "--rate", "0"], 2, "--rate"),
                (["--images", "1", "--port", "65536"], 2, "--port"),
                (["--images", "1", "--tls-key", "x"], 2, "--tls-cert"),
                (["--hello", "--port", "0", "--tls-key", "/x", "--tls-cert", "/x"], 1, "/x: No such"),
                (["--hello", "--bind", "localhost"], 1, "'localhost' is no address"),
                (["--hello", "--bind", "192.0.2.1", "--port", "0"], 1, "cannot listen"),
                (["--hello", "--port", str(server.port)], 1, "Address already in use")):
            done = interlock("serve", *args)
            assert done.status == status and words in done.err, (args, done.status, done.err)
            assert done.err.startswith("interlock serve: ") and done.err.count("\n") == 1, done.err
            assert done.out == ""


main(globals())
