#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does `interlock crawl` find every page once, tell what is wrong with links, and behave itself?"""
import collections
import contextlib
import http.server
import json
import signal
import socket
import subprocess
import threading
import time

from tool import Terminal, interlock, main, screen, start

EXECUTORS = ("loop", "threads", "processes", "inline")


class _Answer:
    def __init__(self, body=b"", status=200, type_="text/html", **headers):
        self.body = body.encode() if isinstance(body, str) else body
        self.status, self.headers = status, {"Content-Type": type_}
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}


def _redirect(to, status=301):
    return _Answer("", status, Location=to)


class _Site(http.server.ThreadingHTTPServer):
    """Pages by path: a string of HTML, an Answer, or a function of the site that gives one."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, pages, robots=None, host="127.0.0.1"):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = dict(pages)
        if robots is not None:
            self.pages["/robots.txt"] = robots if callable(robots) else _Answer(robots, type_="text/plain")
        self.url = f"http://{host}:{self.server_address[1]}"
        self.lock = threading.Lock()
        self.asked = []  # (time, method, path)
        self.at_once = self.most_at_once = 0

    def handle_error(self, request, client_address):
        pass  # a client that has gone away

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def count(self, method="GET"):
        return collections.Counter(path for _, m, path in self.asked if m == method)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server
        with site.lock:
            site.asked.append((time.monotonic(), self.command, self.path))
            site.at_once += 1
            site.most_at_once = max(site.most_at_once, site.at_once)
        try:
            answer = site.pages.get(self.path, _Answer("no such page", 404))
            if callable(answer):
                answer = answer(self)
            if isinstance(answer, str):
                answer = _Answer(answer)
            self.reply(answer)
        finally:
            with site.lock:
                site.at_once -= 1

    do_HEAD = do_GET

    def reply(self, answer):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _links(*to):
    return "<html><body>" + "".join(f"<a href='{link}'>x</a>" for link in to) + "</body></html>"


def _crawl(*args, **more):
    """The objects by URL, the summary, and how it ended."""
    done = interlock("crawl", "--json", *args, **more)
    lines = [json.loads(line) for line in done.out.splitlines()]
    summary = lines.pop() if lines else {}
    done.links, done.summary = {line["url"]: line for line in lines}, summary
    return done


def _paths(done, site, state):
    return sorted(url.removeprefix(site.url) for url, link in done.links.items()
                  if link["state"] == state and url.startswith(site.url))


def _tangle(pages):
    """Every page leads to others, up, down and around."""
    site = {"/": _links("/p/1", "p/2")}
    for i in range(1, pages):
        to = [f"/p/{n}" for n in (2 * i, 2 * i + 1, i // 2 or 1, i * 7 % pages or 1) if n < pages]
        extra = ["/", f"/missing/{i}"] if i % 20 == 3 else ["../#top"]
        site[f"/p/{i}"] = _links(*to, *extra)
    return site


def every_page_is_asked_for_once_and_the_list_is_the_same_however_it_is_done():
    lists = set()
    with _Site(_tangle(200)) as site:
        for args in (["-j1"], ["-j64", "--per-host=64"], *(["--on", on] for on in EXECUTORS)):
            site.asked.clear()
            done = interlock("crawl", "--list", *args, site.url)
            assert done.status == 1 and done.err == "", (args, done.err)
            lists.add(done.out)
            counts = site.count()
            assert set(site.pages) <= set(counts), args
            assert set(counts.values()) == {1}, (args, counts.most_common(3))
    assert len(lists) == 1
    lines = lists.pop().splitlines()
    assert lines == sorted(lines, key=lambda line: line.split()[2])
    assert sum(line.startswith("ok 200 ") for line in lines) == 200
    assert sum(line.startswith("broken 404 ") for line in lines) == 10


def links_are_told_by_the_pages_that_have_them():
    with _Site({"/": _links("/a", "/old", "gone") + "<img src='/i.png'><img srcset='/none.png 2x'>",
               "/a": _links("/gone", "/old", "http://[::1"),
               "/old": _redirect("/a"),
               "/i.png": _Answer(b"\x89PNG", type_="image/png")}) as site:
        done = interlock("crawl", site.url)
        at = site.url
        assert done.status == 1 and done.err == ""
        report, summary = done.out.split("\n\n")[:-1], done.out.splitlines()[-1]
        assert report == [
            f"Redirected\n  {at}/\n    {at}/old\n      301 Moved Permanently to {at}/a\n"
            f"  {at}/a\n    {at}/old\n      301 Moved Permanently to {at}/a",
            f"Broken\n  {at}/\n    {at}/gone  404 Not Found\n    {at}/none.png  404 Not Found\n"
            f"  {at}/a\n    {at}/gone  404 Not Found\n    http://[::1  malformed URL"], done.out
        assert summary.startswith("2 pages visited, 7 links checked in "), summary
        assert summary.endswith(" s: 3 broken, 1 redirected"), summary

        done = _crawl(site.url)
        gone = done.links[f"{at}/gone"]
        assert gone["state"] == "broken" and gone["status"] == 404 and gone["depth"] == 1
        assert gone["on"] == [f"{at}/", f"{at}/a"]
        assert done.links[f"{at}/old"]["to"] == f"{at}/a"
        assert done.links["http://[::1"]["reason"] == "malformed URL"
        assert done.summary["broken"] == 3 and done.summary["partial"] is False
        assert site.count("HEAD")["/i.png"] == 2 and site.count()["/i.png"] == 0


def a_link_on_many_pages_is_told_once():
    pages = {f"/{i}": _links("/gone") for i in range(10)}
    with _Site({"/": _links(*pages), **pages}) as site:
        done = interlock("crawl", site.url)
        assert f"  On 10 pages, the first is {site.url}/0\n    {site.url}/gone  404" in done.out
        assert done.out.count("/gone") == 1


def without_a_broken_link_it_ends_with_0():
    with _Site({"/": _links("/", "a", "mailto:a@b", "#x"), "/a": ""}) as site:
        done = interlock("crawl", site.url)
        assert done.status == 0 and done.err == "", done.out
        assert done.out.startswith("2 pages visited, 2 links checked in ")
        assert done.out.endswith("none broken\n")


def other_sites_are_checked_and_not_followed():
    with _Site({"/page": _links("/deeper"), "/no-head": lambda r: _Answer(
            "x", 405 if r.command == "HEAD" else 200), "/shy": _Answer("", 403)},
              host="localhost", robots="User-agent: *\nDisallow: /") as other:
        at = other.url
        with _Site({"/": _links(f"{at}/page", f"{at}/no-head", f"{at}/gone", f"{at}/shy")}) as site:
            done = _crawl(site.url)
            assert done.status == 1
            assert _paths(done, other, "ok") == ["/no-head", "/page"]
            assert _paths(done, other, "broken") == ["/gone"]
            assert _paths(done, other, "unknown") == ["/shy"]
            assert other.count("HEAD")["/page"] == 1 and other.count()["/page"] == 0
            assert other.count()["/no-head"] == 1 and other.count()["/deeper"] == 0
            other.asked.clear()
            done = _crawl("--no-external", site.url)
            assert done.status == 0 and not other.asked
            assert done.links[f"{at}/gone"]["state"] == "skipped"
            port = at.rsplit(":", 1)[1]
            done = _crawl("--no-robots", "--host", f"localhost:{port}", site.url)
            assert other.count()["/page"] == 1 and other.count()["/deeper"] == 1


def nobody_there_is_broken_and_is_found_out_soon():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with _Site({"/": _links(*(f"{nobody}/{i}" for i in range(500)))}) as site:
            done = _crawl(site.url)
            assert done.status == 1 and done.summary["broken"] == 500
            assert "refused" in done.links[f"{nobody}/77"]["reason"]
        done = interlock("crawl", nobody)
        assert done.status == 1 and "refused" in done.err and done.err.count("\n") == 1


def robots_are_kept_to():
    robots = "User-agent: *\nDisallow: /private\nAllow: /private/open\nCrawl-delay: 0.05\n"
    pages = {"/": _links("/private/a", "/private/open", "/b"), "/b": "", "/private/open": ""}
    with _Site(pages, robots) as site:
        done = _crawl(site.url)
        assert done.status == 0
        assert [path for _, _, path in site.asked][0] == "/robots.txt"
        assert site.count()["/robots.txt"] == 1 and site.count()["/private/a"] == 0
        assert done.links[f"{site.url}/private/a"]["reason"] == "robots.txt forbids it"
        assert done.links[f"{site.url}/private/a"]["state"] == "skipped"
        assert site.most_at_once == 1
        times = [at for at, _, path in site.asked if path != "/robots.txt"]
        assert all(b - a > 0.04 for a, b in zip(times, times[1:]))
        site.asked.clear()
        done = _crawl("--no-robots", site.url)
        assert site.count()["/private/a"] == 1 and site.count()["/robots.txt"] == 0


def a_start_that_robots_forbid_is_said():
    with _Site({"/": "x"}, "User-agent: interlock\nDisallow: /") as site:
        done = interlock("crawl", site.url)
        assert done.status == 1 and "/" not in site.count()
        assert done.err == f"interlock crawl: no page was visited: {site.url}/: robots.txt forbids it\n"


def a_robots_file_that_is_broken_forbids_and_one_that_is_missing_does_not():
    for status, visited in (404, 1), (403, 1), (500, 0):
        with _Site({"/": "x"}, lambda _, status=status: _Answer("", status)) as site:
            done = _crawl(site.url)
            assert site.count()["/"] == visited, status
            assert done.status == (0 if visited else 1)


def _limited(pages, rate):
    """At most `rate` in any second; above it 429."""
    served, lock = collections.deque(), threading.Lock()

    def limit(page):
        def answer(_):
            with lock:
                now = time.monotonic()
                while served and now - served[0] > 1:
                    served.popleft()
                if len(served) >= rate:
                    return _Answer("", 429, Retry_After="1")
                served.append(now)
                return page
        return answer
    return {path: limit(page) for path, page in pages.items()}


def a_limited_host_is_not_broken_and_holds_up_no_other():
    slow = {f"/{i}": "" for i in range(12)}
    fast = {f"/f{i}": "" for i in range(200)}
    with _Site({**_limited({"/": _links(*slow), **slow}, 5), "/robots.txt": ""}) as limited:
        with _Site({"/": _links(*fast), **fast}, host="localhost") as free:
            done = _crawl(limited.url, free.url)
            assert done.status == 0, done.out + done.err
            assert len(_paths(done, limited, "ok")) == 13 and len(_paths(done, free, "ok")) == 201
            assert 1 <= done.summary["limited"] <= 10, done.summary
            assert set(free.count().values()) == {1}
            assert free.asked[-1][0] < limited.asked[-1][0]


def a_host_that_only_says_later_is_unknown():
    for answer in _Answer("", 429, Retry_After="7200"), _Answer("", 503, Retry_After="3600"):
        with _Site({"/": answer, "/robots.txt": ""}) as site:
            done = _crawl(site.url)
            assert done.links[f"{site.url}/"]["state"] == "unknown"
            assert site.count()["/"] == 1 and done.status == 1  # nothing was visited
    with _Site({"/": _links("/a", "/b"), "/a": _Answer("", 503), "/b": ""}) as site:
        done = _crawl(site.url)
        assert _paths(done, site, "unknown") == ["/a"] and done.status == 0
        assert site.count()["/a"] == 3


def what_was_broken_off_is_tried_again():
    tries = collections.Counter()

    def flaky(request):
        tries[request.path] += 1
        if tries[request.path] < 3:
            request.connection.shutdown(socket.SHUT_RDWR)
        return ""
    with _Site({"/": _links("/a"), "/a": flaky}) as site:
        done = _crawl(site.url)
        assert done.status == 0 and tries["/a"] == 3, done.out


def depth_is_the_fewest_clicks_however_late_they_are_found():
    """The long way to /x is found first; then the short one leads on to /y."""
    met = threading.Event()

    def short(_):
        met.wait(30)
        return _links("/x")

    def x(_):
        met.set()
        return _links("/y")
    pages = {"/": _links("/1", "/short"), "/1": _links("/2"), "/2": _links("/x"), "/short": short,
             "/x": x, "/y": _links("/z"), "/z": ""}
    with _Site(pages) as site:
        done = _crawl("--depth", "3", "-j8", site.url)
        assert done.links[f"{site.url}/x"]["depth"] == 2
        assert done.links[f"{site.url}/y"]["state"] == "ok"
        assert done.links[f"{site.url}/z"]["reason"] == "beyond the depth"
        assert set(site.count().values()) == {1}


def a_limit_of_pages_takes_the_nearest_in_order():
    lists = set()
    with _Site(_tangle(300)) as site:
        for j in 1, 2, 64:
            site.asked.clear()
            done = _crawl("--pages", "25", f"-j{j}", "--per-host=64", site.url)
            lists.add(json.dumps(sorted(done.links.items())))
            assert sum(path != "/robots.txt" for _, _, path in site.asked) == 25
        assert len(lists) == 1


def redirects_are_followed_to_their_end():
    chain = {f"/c{i}": _redirect(f"/c{i + 1}") for i in range(40)}
    pages = {"/": _links("/one", "/circle", "/c0", "/bad", "/else", "/nowhere"), "/one": _redirect("two", 302),
             "/two": _redirect("/end", 308), "/end": "", "/circle": _redirect("/circle2"),
             "/circle2": _redirect("/circle"), "/bad": _redirect("/gone"),
             "/else": _redirect("ftp://x/"), "/nowhere": _Answer("", 302), **chain}
    with _Site(pages) as site:
        done = _crawl(site.url)
        at, links = site.url, done.links
        assert links[f"{at}/one"]["reason"] == f"302 Found to {at}/two, and on to {at}/end"
        assert links[f"{at}/one"]["state"] == "redirected" and links[f"{at}/end"]["state"] == "ok"
        assert links[f"{at}/circle"]["state"] == "broken"
        assert links[f"{at}/circle"]["reason"].endswith(", in a circle")
        assert links[f"{at}/bad"]["state"] == "broken"
        assert links[f"{at}/bad"]["reason"].endswith(f" to {at}/gone: 404 Not Found")
        assert links[f"{at}/c0"]["state"] == "broken" and "/c30" not in site.count()
        assert links[f"{at}/else"]["state"] == "broken" and links[f"{at}/nowhere"]["state"] == "broken"
        assert set(site.count().values()) == {1}


def the_site_moves_with_the_redirect_of_its_start():
    with _Site({"/": _links("/a"), "/a": ""}, host="localhost") as new:
        with _Site({"/": _redirect(f"{new.url}/")}) as old:
            done = _crawl(old.url)
            assert _paths(done, new, "ok") == ["/", "/a"] and done.status == 0
            assert done.links[f"{new.url}/a"]["page"] is True


def fragments_are_checked_when_asked():
    with _Site({"/": _links("/a#here", "/a#gone", "#top", "/b#x", "/a#%68ere", "/a#:~:text=x"),
               "/a": "<p id=here><a name='x'>", "/b": _redirect("/a")}) as site:
        assert interlock("crawl", site.url).status == 0
        done = _crawl("--fragments", site.url)
        assert done.status == 1 and _paths(done, site, "broken") == ["/a#gone"]
        assert done.links[f"{site.url}/a#gone"]["on"] == [f"{site.url}/"]


def nofollow_is_kept_to_when_asked():
    with _Site({"/": "<a rel=nofollow href=/a>x</a>", "/a": _links("/b"), "/b": ""}) as site:
        assert _paths(_crawl(site.url), site, "ok") == ["/", "/a", "/b"]
        assert _paths(_crawl("--nofollow", site.url), site, "ok") == ["/", "/a"]


def a_page_of_many_links_crosses_from_a_process():
    many = [f"/x{i}?{'y' * 100}" for i in range(3000)]
    with _Site({"/": _links(*many), **{path: "" for path in many[:5]}}) as site:
        done = _crawl("--on", "processes", "--depth", "0", site.url)
        assert len(done.links) == 3001, len(done.links)


def what_is_no_page_is_not_read():
    with _Site({"/": _links("/big.zip", "/text"), "/big.zip": _Answer(b"<a href=/no>" * 100000, type_="application/zip"),
               "/text": _Answer("<a href=/no>", type_="text/plain")}) as site:
        done = _crawl(site.url)
        assert done.status == 0 and f"{site.url}/no" not in done.links


def malformed_and_hostile_pages_do_no_harm():
    pages = {"/": _links(*(f"/{i}" for i in range(6))),
             "/0": "<a href='/ok'" + "<div>" * 50000, "/1": _Answer(bytes(range(256)) * 100),
             "/2": "<a href='/" + "a" * 100000 + "'>", "/3": "<base href='//'><a href='/ok'>",
             "/4": _Answer("<a href=/ok>", type_="text/html; charset=utf-16"),
             "/5": "<a href='/\x1b[31m\u202e'>", "/ok": ""}
    with _Site(pages) as site:
        for on in EXECUTORS:
            done = interlock("crawl", "--on", on, site.url)
            assert done.err == "" and done.status in (0, 1)
            assert "\x1b" not in done.out
            assert "malformed" in done.out  # /2


def interrupted_it_reports_a_part_and_says_so():
    held, release = threading.Event(), threading.Event()

    def hold(_):
        held.set()
        release.wait(60)
        return ""
    for on in "loop", "threads", "processes":
        held.clear()
        with _Site({"/": _links("/a", "/hold", "/gone"), "/a": "", "/hold": hold}) as site:
            process = start("crawl", "--json", "--on", on, "-j1", site.url, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
            assert held.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            assert process.returncode == -signal.SIGINT, (on, process.returncode, err)
            lines = [json.loads(line) for line in out.splitlines()]
            states = {line["url"].removeprefix(site.url): line["state"] for line in lines[:-1]}
            assert lines[-1]["partial"] is True and states["/"] == states["/a"] == "ok", states
            assert states["/hold"] == "skipped" and "part" in err, (states, err)
    release.set()


def progress_is_shown_on_a_terminal_and_gone_at_the_end():
    pages = {f"/{i}": lambda _: (time.sleep(0.1), "")[1] for i in range(20)}
    with _Site({"/": _links(*pages), **pages}) as site:
        terminal = Terminal("crawl", "-j2", site.url, on_tty=("err", "out"))
        assert terminal.read_until("pages")
        text, status = terminal.end()
        assert status == 0
        assert screen(text)[-2].startswith("21 pages visited"), screen(text)


def output_that_cannot_be_written_is_said():
    with _Site({"/": "x"}) as site, contextlib.suppress(FileNotFoundError), open("/dev/full", "w") as full:
        process = start("crawl", site.url, stdout=full, stderr=subprocess.PIPE, text=True)
        err = process.communicate(timeout=60)[1]
        assert process.returncode == 1 and err.startswith("interlock crawl: cannot write the output")


main(globals())
