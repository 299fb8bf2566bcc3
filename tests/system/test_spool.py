# SPDX-License-Identifier: Apache-2.0
"""A store that is stopped, paused, slow, full or locked: nobody but hale.recorder notices, nothing is
lost, nothing is stored twice, and the order stays."""
import contextlib
import errno
import json
import os
import signal
import sqlite3
import subprocess

import pytest

from conftest import DEADLINE, Postgres, Rpc, wait_for

N = 20  # components
TROUBLE = [r"store cannot be used", r"store could not be kept in order"]
CRASH = [r"process ended unexpectedly"]


@pytest.fixture(scope="module")
def server():
    """One of our own: it is stopped, paused and filled."""
    p = Postgres()
    yield p
    p.close()


class Store:
    """What the tests ask of either database."""

    def __init__(self, hale, server=None):
        self.h, self.server = hale, server

    def rows(self, sql):
        if self.server is None:
            con = sqlite3.connect(f"file:{self.h.state_dir}/history.db?mode=ro", uri=True,
                                  timeout=DEADLINE)
            try:
                return [[str(v) for v in row] for row in con.execute(sql)]
            finally:
                con.close()
        return self.server.sql(f"SET search_path TO {self.h.schema}; {sql}")

    def status(self):
        return Rpc(self.h, "recorder").call("store.status")

    def settled(self):
        """Waits until all that haled has said up to now is stored; its epoch and last number."""
        status = self.h.status()

        def stored():
            s = self.status()
            return (s["cursor"]["epoch"] == status["epoch"] and not s["error"] and
                    s["cursor"]["seq"] >= status["head"])
        wait_for(stored, "the store caught up")
        return status["epoch"], status["head"]

    def assert_complete(self, bus=None):
        """Every line of the bus is in some table, once, in order, and as a subscriber saw it."""
        epoch, head = self.settled()
        tables = ("v_results", "v_process_events", "v_events")
        seqs = []
        for table in tables:
            seqs += [int(s) for (s,) in self.rows(f"SELECT seq FROM {table} WHERE epoch ="
                                                  f" '{epoch}' AND seq <= {head}")]
        assert len(seqs) == len(set(seqs)), "stored twice"
        missing = sorted(set(range(1, head + 1)) - set(seqs))
        # A change of the total alone is in transitions only.
        for (s,) in self.rows(f"SELECT DISTINCT seq FROM v_transitions WHERE epoch = '{epoch}'"):
            if int(s) in missing:
                missing.remove(int(s))
        assert not missing, f"{len(missing)} of {head} lines are missing: {missing[:20]}"
        last = {}
        for name, before, after in self.rows("SELECT component, from_status, to_status FROM"
                                             " v_transitions ORDER BY at, seq"):
            assert last.get(name, before) == before, (name, last[name], before, after)
            last[name] = after


def tell(h, i, text):
    with open(f"{h.dir}/c{i}.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/c{i}.new", f"{h.dir}/c{i}")


def config(store):
    lines = ["processes: {recorder: {restart: {delay: 100ms, burst: 31}}}", "components:"]
    lines += [f"  c{i}: {{null: {{file: '@DIR@/c{i}'}}, interval: 100ms, timeout: 90ms}}"
              for i in range(N)]
    return "\n".join(lines) + f"\n{store}\n"


def begin(hale, store, server=None, user_setup=None):
    h = hale(config(store), start=False)
    h.schema = "hale"
    if server is not None:
        h.schema = os.path.basename(h.dir).replace("-", "_")
        h.write(config(store.replace("SCHEMA", h.schema)))
    for i in range(N):
        tell(h, i, "pass")
    if user_setup:
        user_setup(h)
    h.start()
    h.allow(*TROUBLE, *CRASH)
    for i in range(N):
        h.wait_status(f"c{i}", "healthy")
    s = Store(h, server)
    s.settled()
    return h, s


def postgres_yaml(server, extra=""):
    # The server may be silent for 2 s before it counts as gone: tests are short.
    return (f"store: {{postgres: {{dsn: '{server.dsn}', schema: SCHEMA, connect_timeout: 1s,"
            f" statement_timeout: 2s}}{extra}}}")


def kill_recorder(h):
    before = h.process_of("recorder")
    os.kill(before["pid"], signal.SIGKILL)
    wait_for(lambda: (lambda p: p["generation"] > before["generation"] and p["state"] == "ready")(
        h.process_of("recorder")), "the recorder is back")


def degraded(h):
    c = h.component("hale.recorder")
    return c["status"] == "degraded" and c


def go_through(h, s, end_trouble):
    """In the middle of it: nobody else notices, a killed recorder forgets nothing; and afterwards."""
    c = wait_for(lambda: degraded(h), "hale.recorder is degraded")
    assert c["reason"] in ("store_unavailable", "store_backlog"), c
    tell(h, 3, "fail in the dark")
    h.wait_status("c3", "critical")
    tell(h, 3, "pass")
    h.wait_status("c3", "healthy")
    wait_for(lambda: s.status()["spool_lines"] > 0, "lines are on disk")
    kill_recorder(h)
    tell(h, 4, "fail behind it")
    h.wait_status("c4", "critical")
    c = wait_for(lambda: degraded(h), "it says so again")
    wait_for(lambda: h.component("hale.recorder")["metrics"].get("backlog_lines", 0) > 0,
             "the backlog is a metric")
    others = {c["id"]: c["status"] for c in h.status()["components"]}
    others.pop("hale.recorder")
    assert others.pop("c4") == "critical"
    assert set(others.values()) == {"healthy"}, others
    end_trouble()
    h.wait_status("hale.recorder", "healthy")
    status = wait_for(lambda: (lambda x: x["spool_lines"] == 0 and x)(s.status()), "all is drained")
    assert status["lines_dropped"] == 0
    s.assert_complete()
    for name, message in (("c3", "in the dark"), ("c4", "behind it")):
        assert len(s.rows("SELECT seq FROM v_transitions WHERE component = '%s' AND message ="
                          " '%s' AND to_status = 'critical'" % (name, message))) == 1
    metrics = h.get("/metrics", token="secret-token")[1]
    assert 'component="hale.recorder"' in metrics and "backlog_lines" in metrics


def test_sqlite_locked_by_another_process(hale):
    h, s = begin(hale, "")
    con = sqlite3.connect(f"{h.state_dir}/history.db", timeout=DEADLINE, isolation_level=None)
    con.execute("BEGIN IMMEDIATE")
    go_through(h, s, lambda: (con.execute("ROLLBACK"), con.close()))


def test_sqlite_on_a_full_disk(hale):
    room = {}

    def small_disk(h):
        room["dir"] = f"{h.dir}/small"
        os.mkdir(room["dir"])
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", room["dir"]], check=True)
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    try:
        h, s = begin(hale, "store: {sqlite: {path: '@DIR@/small/history.db'}}", None, small_disk)
        os.symlink(f"{room['dir']}/history.db", f"{h.state_dir}/history.db")
        fill(room["dir"])
        go_through(h, s, lambda: os.unlink(f"{room['dir']}/filler"))
        h.stop()
    finally:
        subprocess.run(["umount", "-l", room["dir"]], check=True)


def fill(path):
    with open(f"{path}/filler", "wb", buffering=0) as f:
        try:
            while f.write(b"x" * 4096) == 4096:
                pass
        except OSError as e:
            assert e.errno == errno.ENOSPC


def test_postgres_stopped(hale, server):
    h, s = begin(hale, postgres_yaml(server), server)
    server.stop()
    go_through(h, s, server.start)


def test_postgres_paused(hale, server):
    h, s = begin(hale, postgres_yaml(server), server)
    pids = [server.process.pid] + children(server.process.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    def go_on():
        while pids:
            with contextlib.suppress(ProcessLookupError):  # a backend whose client has gone
                os.kill(pids.pop(), signal.SIGCONT)
    try:
        go_through(h, s, go_on)
    finally:
        go_on()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def test_postgres_with_a_table_locked(hale, server):
    h, s = begin(hale, postgres_yaml(server), server)
    with subprocess.Popen(
            [f"{server.bin}/psql", "-h", server.dir, "-p", str(server.port), "-U", "hale", "-d",
             "postgres", "-AtqX"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True) as p:
        p.stdin.write(f"BEGIN; LOCK TABLE {h.schema}.epochs IN ACCESS EXCLUSIVE MODE;"
                      " SELECT 'locked';\n")
        p.stdin.flush()
        assert p.stdout.readline() == "locked\n"

        def unlock():
            p.stdin.write("ROLLBACK;\n")
            p.stdin.close()
        go_through(h, s, unlock)


def test_what_does_not_fit_is_dropped_by_class_and_told(hale):
    h, s = begin(hale, "store: {spool: {bytes: 1MB}}")
    h.allow(r"lines were lost")
    con = sqlite3.connect(f"{h.state_dir}/history.db", timeout=DEADLINE, isolation_level=None)
    con.execute("BEGIN IMMEDIATE")
    for turn in range(4):
        for i in range(N):
            tell(h, i, "pass" if turn % 2 else "fail turn %d %s" % (turn, "x" * 400))
        for i in range(N):
            h.wait_status(f"c{i}", "healthy" if turn % 2 else "critical")
    wait_for(lambda: s.status()["dropped"]["results"] > 500, "results are dropped")
    c = wait_for(lambda: (lambda c: c["reason"] == "store_lost" and c)(
        h.component("hale.recorder")), "it says so")
    assert c["status"] == "degraded" and "dropped for want of room" in c["message"]
    assert s.status()["spool_bytes"] <= 1 << 20
    files = os.listdir(f"{h.state_dir}/spool")
    assert sum(os.path.getsize(f"{h.state_dir}/spool/{f}") for f in files) < (1 << 20) + 4096
    con.execute("ROLLBACK")
    con.close()
    epoch, head = s.settled()
    status = s.status()
    assert status["dropped"]["transitions"] == status["dropped"]["others"] == 0, status["dropped"]
    stored = int(s.rows(f"SELECT count(*) FROM v_results WHERE epoch = '{epoch}' AND seq <="
                        f" {head}")[0][0])
    told = json.loads(s.rows("SELECT details FROM v_events WHERE kind = 'store_loss'")[0][0])
    assert 0 < told["results"] <= status["dropped"]["results"]
    assert stored < head
    changes = s.rows("SELECT component, to_status FROM v_transitions WHERE component LIKE 'c%'"
                     " ORDER BY at, seq")
    for i in range(N):
        assert [c[1] for c in changes if c[0] == f"c{i}"] == \
            ["healthy"] + ["critical", "healthy"] * 2, i
