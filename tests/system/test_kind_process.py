# SPDX-License-Identifier: Apache-2.0
"""The kind process: real processes that come, go, work, are stopped and die unnoticed."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

import pytest
from conftest import DEADLINE, wait_for
from test_checks import assert_is


class Programs:
    """Processes of a name of their own, until the test ends."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hale-pr", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.running = []

    def path(self, name):
        path = f"{self.dir}/{name}"
        if not os.path.exists(path):
            shutil.copy("/bin/dash", path)
        return path

    def start(self, name, script="read x", *args, **kw):
        """It waits for a line that never comes."""
        p = subprocess.Popen([self.path(name), "-c", script, *args], stdin=subprocess.PIPE, **kw)
        self.running.append(p)
        return p

    def close(self):
        for p in self.running:
            p.kill()
            p.wait()
            p.stdin.close()
        shutil.rmtree(self.dir)


@pytest.fixture
def programs():
    p = Programs()
    yield p
    p.close()


def processes(**components):
    lines = ["components:"]
    for name, options in components.items():
        lines.append(f"  {name}: {{process: {json.dumps(options)}, interval: 1s, timeout: 900ms}}")
    return "\n".join(lines) + "\n"


def test_processes_come_and_go(hale, programs):
    p = programs.start("hale-t-trader", "read x", "--password=geheim")
    h = hale(processes(by_name={"name": "hale-t-trader"},
                       by_pattern={"pattern": "hale-t-trader .*--password="},
                       by_user={"name": "hale-t-trader", "user": str(os.getuid())},
                       two={"name": "hale-t-trader", "min": 2},
                       none={"name": "hale-t-miner", "min": 0, "max": 0},
                       wrong={"name": "hale-t-trader", "user": "64999"}))
    for name in ("by_name", "by_pattern", "by_user"):
        c = assert_is(h, name, "healthy", "ok", f"is running, pid {p.pid}, up ")
        assert c["details"]["pids"] == [p.pid] and c["metrics"]["count"] == 1
        assert c["metrics"]["threads"] == 1 and c["metrics"]["rss_bytes"] > 0
        assert 0 <= c["metrics"]["uptime_seconds"] < 60 + DEADLINE
        assert c["details"]["processes"][0]["program"].endswith("/hale-t-trader")
    assert "geheim" not in json.dumps(h.status())
    assert_is(h, "two", "critical", "process_count", "1 process of hale-t-trader, expected at least 2")
    assert_is(h, "wrong", "down", "process_down", "hale-t-trader is not running")
    assert_is(h, "none", "healthy", "ok", "as expected")
    again = programs.start("hale-t-trader")
    programs.start("hale-t-miner")
    c = assert_is(h, "two", "healthy", "ok", "2 processes")
    assert c["details"]["pids"] == [p.pid, again.pid]
    assert_is(h, "none", "critical", "process_count", "expected none")
    # Stopped, continued; dead and not waited for; gone.
    for one in (p, again):
        one.send_signal(signal.SIGSTOP)
    assert_is(h, "by_name", "down", "process_down", "is stopped")
    for one in (p, again):
        one.send_signal(signal.SIGCONT)
    assert_is(h, "by_name", "healthy", "ok")
    for one in (p, again):
        one.kill()
    assert_is(h, "by_name", "down", "process_down", "zombie")
    for one in (p, again):
        one.wait()
    c = assert_is(h, "by_name", "down", "process_down")
    wait_for(lambda: h.component("by_name")["message"] == "hale-t-trader is not running", "gone")


def test_what_it_uses(hale, programs):
    p = programs.start("hale-t-busy", "sleep 600 & trap 'kill $!; exit' TERM; while :; do :; done")
    h = hale(processes(busy={"name": "hale-t-busy", "pss": True}, self={"pattern": "haled "}))

    def measured():
        m = h.component("busy")["metrics"]
        return m.get("cpu_percent", 0) > 5 and m
    m = wait_for(measured, "its processor time is seen")
    assert m["children"] == 1 and m["cpu_percent"] < 250
    # What only its user, and root, may see.
    assert m["fds"] == len(os.listdir(f"/proc/{p.pid}/fd"))
    assert 0 < m["pss_bytes"] <= m["rss_bytes"] and "read_bytes_per_second" in m
    p.terminate()
    p.wait()


def test_pidfiles(hale, programs):
    pidfile = f"{programs.dir}/trader.pid"
    h = hale(processes(file={"pidfile": pidfile, "name": "hale-t-filed"}))
    assert_is(h, "file", "down", "process_down", "No such file")
    p = programs.start("hale-t-filed")
    with open(pidfile, "w") as f:
        f.write(f"{p.pid}\n")
    assert_is(h, "file", "healthy", "ok", f"pid {p.pid}")
    # The number belongs to another now.
    other = programs.start("hale-t-other")
    with open(pidfile + ".new", "w") as f:
        f.write(f"{other.pid}\n")
    os.rename(pidfile + ".new", pidfile)
    c = assert_is(h, "file", "down", "process_down")
    wait_for(lambda: "another program" in h.component("file")["message"], "told apart")
    assert c["id"] == "file"


def test_many_components_share_one_look(hale, programs):
    """Forty components cost one scan each second, not forty."""
    p = programs.start("hale-t-shared")
    h = hale(processes(**{f"c{i}": {"name": "hale-t-shared"} for i in range(40)}))
    for i in range(40):
        c = assert_is(h, f"c{i}", "healthy", "ok")
        assert c["details"]["pids"] == [p.pid]


def test_wrong_options_are_explained(hale):
    h = hale(processes(a={}, b={"pattern": "("}, c={"name": "x", "min": 2, "max": 1}), start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0
    for text in ("must say which process", "Unmatched (", "less than min"):
        assert text in r.stdout + r.stderr, r.stdout + r.stderr
