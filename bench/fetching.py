# SPDX-License-Identifier: MIT
"""`interlock fetch` and its peers at the same site, which is `interlock serve`."""
import atexit
import hashlib
import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile
import time

OURS = "interlock"
MEMORY = "/dev/shm"  # what a disk costs is not of interest here


class Site:
    """A site of n pictures, served from the first time that it is asked for."""

    def __init__(self, count, size, latency):
        self.count, self.size, self.latency = count, size, latency
        self.server = self.folder = None

    def _begin(self, tool):
        self.server = subprocess.Popen(
            [tool, "serve", "-p", "0", "--images", str(self.count), "--size", str(self.size),
             "--latency", str(self.latency)], stdout=subprocess.PIPE, text=True)
        atexit.register(self._end)
        address = re.search(r"http://[0-9.:]+", self.server.stdout.readline())[0]
        self.folder = tempfile.TemporaryDirectory(
            prefix="interlock-bench-", dir=MEMORY if os.path.isdir(MEMORY) else None)
        self.path = pathlib.Path(self.folder.name)
        urls = [f"{address}/images/{i}.png" for i in range(self.count)]
        (self.path / "list").write_text("".join(f"{url}\n" for url in urls))
        (self.path / "config").write_text("".join(
            f'url = "{url}"\noutput = "{self.path}/out/{i}.png"\n' for i, url in enumerate(urls)))

    def _end(self):
        self.server.kill()
        self.server.wait()

    def ready(self, tool):
        """An empty folder to fetch to."""
        if not self.server:
            self._begin(tool)
        out = self.path / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        return out

    def cpu(self):
        """Seconds of CPU time that the server has used."""
        fields = pathlib.Path(f"/proc/{self.server.pid}/stat").read_text().rsplit(")")[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _digest(folder):
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


class FetchEntry:
    """One program that gets all of a site, so many at a time; the check is all that it wrote."""

    workers = (1,)

    def __init__(self, variant, what, site, jobs):
        self.variant, self.what, self.site, self.jobs = variant, what, site, jobs

    def command(self, build, path):
        jobs, out, urls = self.jobs, f"{path}/out", f"{path}/list"
        if self.variant == OURS:
            return [str(build / "tool" / "interlock"), "fetch", f"-j{jobs}", f"--per-host={jobs}",
                    "-d", out, "-i", urls]
        found = shutil.which({"aria2": "aria2c"}.get(self.variant, self.variant))
        more = {"curl": ["-sS", "--parallel", "--parallel-immediate", "--parallel-max", str(jobs),
                         "-K", f"{path}/config"],
                "aria2": ["-q", f"-j{jobs}", "-x1", "--file-allocation=none", "-d", out,
                          "-i", urls],
                "wget2": ["-q", f"--max-threads={jobs}", "-P", out, "-i", urls]}[self.variant]
        return found and [found, *more]

    def measure(self, build, workers, limit):
        tool = str(build / "tool" / "interlock")
        if not os.path.exists(f"{tool}-net"):
            return None
        out = self.site.ready(tool)
        command = self.command(build, self.site.path)
        if not command:
            return None
        before, served = resource.getrusage(resource.RUSAGE_CHILDREN), self.site.cpu()
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, timeout=limit, check=False)
        spent = time.perf_counter() - start
        after, served = resource.getrusage(resource.RUSAGE_CHILDREN), self.site.cpu() - served
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(words[-1] if words else f"exit status {done.returncode}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        check, count = _digest(out), self.site.count
        if self.site.latency:
            return [(self.what, workers, spent * 1e3, "ms", check)]
        return [(self.what, workers, spent * 1e6 / count, "us", check),
                (f"{self.what}-cpu", workers, cpu * 1e6 / count, "us", check),
                (f"{self.what}-server", workers, served * 1e6 / count, "us", check)]


def fetch_sites(many):
    """What is fetched: a name, the site, and how many at a time."""
    return [("fetch-ten", Site(10, 20000, 200), 10), ("fetch-500", Site(500, 20000, 200), 100),
            ("fetch-many", Site(many, 20000, 0), 16)]


FETCH_PEERS = (OURS, "curl", "aria2", "wget2")
