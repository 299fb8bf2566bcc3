# SPDX-License-Identifier: Apache-2.0
"""The recorder: all is stored, once, whatever happens to it or to its database."""
import json
import os
import signal
import sqlite3
import subprocess
import time
import urllib.parse

from conftest import BIN, DEADLINE, Rpc, wait_for

CRASH = [r"process ended unexpectedly", r"process is crash-looping"]


def config(n, extra=""):
    """n components at 200 ms that answer what a file says."""
    lines = ["components:"]
    for i in range(n):
        lines.append(f"  c{i}: {{null: {{file: '@DIR@/c{i}'}}, interval: 200ms, timeout: 150ms}}")
    return "\n".join(lines) + "\n" + extra


def tell(h, i, text):
    """Atomically, as a checker may read at any moment."""
    with open(f"{h.dir}/c{i}.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/c{i}.new", f"{h.dir}/c{i}")


def started(hale, n, extra=""):
    h = hale(config(n, extra), start=False)
    for i in range(n):
        tell(h, i, "pass")
    h.start()
    for i in range(n):
        h.wait_status(f"c{i}", "healthy")
    return h


def db(h, write=False):
    return sqlite3.connect(f"file:{h.state_dir}/history.db?mode={'rw' if write else 'ro'}",
                           uri=True, timeout=DEADLINE, isolation_level=None)


def rows(h, sql, *args):
    con = db(h)
    try:
        return con.execute(sql, args).fetchall()
    finally:
        con.close()


def is_stored(h, sql, *args):
    """The same while the file may be missing or empty."""
    try:
        return rows(h, sql, *args)
    except sqlite3.OperationalError:
        return []


def settle(h):
    """Waits until all that haled has said up to now is stored."""
    status = h.status()

    def stored():
        c = Rpc(h, "recorder").call("store.status")["cursor"]
        return c["epoch"] == status["epoch"] and c["seq"] >= status["head"]
    wait_for(stored, "the store caught up")
    return status["epoch"], status["head"]


def assert_complete(h):
    """Every line of haled's bus is in some table, and no component's story has a gap."""
    epoch, head = settle(h)
    seqs = [seq for (seq,) in rows(
        h, "SELECT seq FROM (SELECT seq, epoch FROM v_results UNION SELECT seq, epoch FROM"
           " v_transitions UNION SELECT seq, epoch FROM v_process_events UNION SELECT seq, epoch"
           " FROM v_events) WHERE epoch = ? AND seq <= ? ORDER BY seq", epoch, head)]
    missing = sorted(set(range(1, head + 1)) - set(seqs))
    assert not missing, f"{len(missing)} of {head} lines are missing: {missing[:20]}"
    assert len(seqs) == len(set(seqs))
    for table in ("v_results", "v_process_events", "v_events"):
        twice = rows(h, f"SELECT epoch, seq FROM {table} GROUP BY epoch, seq HAVING count(*) > 1")
        assert not twice, (table, twice)
    last = {}
    for name, before, after in rows(h, "SELECT component, from_status, to_status FROM"
                                       " v_transitions ORDER BY at, seq"):
        assert before != after, (name, before, after)
        assert last.get(name, before) == before, (name, last[name], before, after)
        last[name] = after


def test_results_transitions_processes_and_events_are_stored(hale):
    h = started(hale, 2)
    tell(h, 0, "fail disk on fire")
    h.wait_status("c0", "critical")
    tell(h, 0, "pass")
    h.wait_status("c0", "healthy")
    h.cli("restart", "web", check=True)
    h.cli("reload", check=True)
    settle(h)
    changes = rows(h, "SELECT from_status, to_status, reason, message FROM v_transitions WHERE"
                      " component = 'c0' ORDER BY at, seq")
    assert [c[:2] for c in changes] == [("unknown", "healthy"), ("healthy", "critical"),
                                        ("critical", "healthy")]
    assert changes[1][2:] == ("told", "disk on fire")
    overall = rows(h, "SELECT to_status, message FROM v_transitions WHERE component = 'overall'"
                      " ORDER BY at, seq")
    assert ("critical", "c0 is critical") in overall and overall[-1][0] == "healthy"
    status, outcome, message, took = rows(
        h, "SELECT status, outcome, message, took_ms FROM v_results WHERE component = 'c0' AND"
           " outcome = 'fail' ORDER BY at LIMIT 1")[0]
    assert (status, outcome, message) == ("critical", "fail", "disk on fire") and took > 0
    events = [e for (e,) in rows(h, "SELECT event FROM v_process_events WHERE process = 'web'"
                                    " ORDER BY at, seq")]
    assert events == ["start", "ready", "stop", "start", "ready"], events
    kinds = [k for (k,) in rows(h, "SELECT kind FROM v_events ORDER BY at, seq")]
    assert "start" in kinds and "reload" in kinds, kinds
    assert_complete(h)


def test_a_killed_recorder_misses_nothing_and_stores_nothing_twice(hale):
    h = started(hale, 20)
    h.allow(*CRASH)
    for turn in range(6):
        before = h.process_of("recorder")
        os.kill(before["pid"], signal.SIGKILL)
        # All of this happens while it is away or coming back.
        for i in range(20):
            tell(h, i, "pass" if turn % 2 else f"fail turn {turn}")
        for i in range(20):
            h.wait_status(f"c{i}", "healthy" if turn % 2 else "critical")
        if h.process_of("recorder")["state"] == "backoff":
            h.cli("start", "recorder", "--no-wait")
        wait_for(lambda: (lambda p: p["generation"] > before["generation"] and
                          p["state"] == "ready")(h.process_of("recorder")), "recorder is back")
    assert_complete(h)
    for i in range(20):
        changes = rows(h, "SELECT to_status FROM v_transitions WHERE component = ? ORDER BY at,"
                          " seq", f"c{i}")
        assert [c for (c,) in changes] == ["healthy"] + ["critical", "healthy"] * 3, i


def test_a_stopped_recorder_catches_up(hale):
    h = started(hale, 3)
    h.cli("stop", "recorder", check=True)
    tell(h, 1, "fail unseen")
    h.wait_status("c1", "critical")
    tell(h, 1, "pass")
    h.wait_status("c1", "healthy")
    h.cli("start", "recorder", check=True)
    assert_complete(h)
    assert rows(h, "SELECT count(*) FROM v_transitions WHERE component = 'c1'") == [(3,)]


def test_a_locked_database_changes_no_status_and_loses_nothing(hale):
    h = started(hale, 10)
    h.allow(r"store cannot be used")
    settle(h)
    con = db(h, write=True)
    con.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    # Longer than the recorder waits for a lock: it says so, and health goes on.
    wait_for(lambda: Rpc(h, "recorder").call("store.status")["error"], "the recorder noticed")
    assert time.monotonic() - begun > 1
    before = {c["id"]: c["last_check"] for c in h.status()["components"]}
    tell(h, 3, "fail while locked")
    h.wait_status("c3", "critical")

    def all_checked_again():
        return all(c["last_check"] > before[c["id"]] for c in h.status()["components"]
                   if c["id"].startswith("c"))
    wait_for(all_checked_again, "checks go on")
    status = {c["id"]: c["status"] for c in h.status()["components"]}
    assert status.pop("c3") == "critical"
    status.pop("hale.recorder")  # it says that it cannot store: test_spool.py
    assert set(status.values()) == {"healthy"}, status
    assert h.process_of("recorder")["state"] == "ready"
    assert h.process_of("recorder")["restarts"] == 0
    # Reading goes on too.
    code, body = h.get_json("/api/v1/health/history?limit=5")
    assert code == 200 and len(body["rows"]) == 5
    con.execute("ROLLBACK")
    con.close()
    wait_for(lambda: not Rpc(h, "recorder").call("store.status")["error"], "the store works again")
    assert Rpc(h, "recorder").call("store.status")["keeps_room"] is False
    assert_complete(h)
    assert rows(h, "SELECT count(*) FROM v_transitions WHERE component = 'c3' AND"
                   " message = 'while locked'") == [(1,)]


def test_a_deleted_database_is_made_anew(hale):
    h = started(hale, 2)
    h.allow(r"store cannot be used", r"deleted|replaced", r"lines were lost")
    settle(h)
    for suffix in ("", "-wal", "-shm"):
        os.unlink(f"{h.state_dir}/history.db{suffix}")
    tell(h, 0, "fail after the loss")
    h.wait_status("c0", "critical")
    wait_for(lambda: is_stored(h, "SELECT 1 FROM v_transitions WHERE message = 'after the loss'"),
             "stored in the new file")
    assert h.component("c1")["status"] == "healthy"


def test_a_damaged_database_is_set_aside_and_told(hale):
    h = started(hale, 2)
    h.allow(r"store was damaged", r"lines were lost")
    settle(h)
    h.cli("stop", "recorder", check=True)
    path = f"{h.state_dir}/history.db"
    with open(path, "r+b") as f:
        f.seek(4096 * 4)
        f.write(b"\xa5" * 4096 * 8)
    for suffix in ("-wal", "-shm"):  # its last end was clean: all is in the file
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    h.cli("start", "recorder", check=True)

    def told():
        found = is_stored(h, "SELECT message FROM v_events WHERE kind = 'store_damaged'")
        return found and found[0][0]
    message = wait_for(told, "the new store says what became of the old one")
    aside = [f for f in os.listdir(h.state_dir) if f.startswith("history.db.broken-")]
    assert [f for f in aside if f.endswith("Z") and f in message], (aside, message)
    assert "hale export --store" in message
    assert h.component("c1")["status"] == "healthy"
    # An alert goes out, and says what to do, for as long as the file lies there.
    h.wait_status("hale.recorder", "degraded")
    assert "then move that file away" in h.component("hale.recorder")["message"]
    assert Rpc(h, "recorder").call("store.status")["set_aside"] in message


def test_a_relative_path_stands_in_the_state_directory(hale):
    h = started(hale, 1, "store: {sqlite: {path: past/own.db}}\n")
    wait_for(lambda: os.path.exists(f"{h.state_dir}/past/own.db"), "the store is made")
    assert f'"{h.state_dir}/past/own.db"' in h.cli("config", "show", "store", "-o", "json").stdout


def test_what_is_older_than_its_retention_is_deleted(hale):
    h = started(hale, 2, "store: {retention: {results: 1h, transitions: 3h, events: 3h}}\n")
    for text, status in (("fail", "critical"), ("pass", "healthy")):
        tell(h, 0, text)
        h.wait_status("c0", status)
    settle(h)
    con = db(h, write=True)
    con.execute("UPDATE results SET at = at - 7200000")
    con.execute("UPDATE transitions SET at = at - 7200000")
    con.execute("UPDATE process_events SET at = at - 4 * 3600000")
    old = con.execute("SELECT max(at) FROM results").fetchone()[0]
    con.close()
    settle(h)
    before = rows(h, "SELECT count(*) FROM transitions")
    deleted = Rpc(h, "recorder").call("store.purge")["deleted"]
    assert deleted > 5
    assert rows(h, "SELECT count(*) FROM results WHERE at <= ?", old) == [(0,)]
    wait_for(lambda: rows(h, "SELECT count(*) FROM results")[0][0] > 0, "new results")
    assert rows(h, "SELECT count(*) FROM transitions")[0][0] >= before[0][0]
    assert rows(h, "SELECT count(*) FROM process_events WHERE at < ?", old) == [(0,)]
    # What stays is purged when the configuration says so, but how things stand.
    h.write(config(2, "store: {retention: {results: 1h, transitions: 1h, events: 1h}}\n"))
    h.cli("reload", check=True)
    h.wait_ready()
    wait_for(lambda: Rpc(h, "recorder").call("store.purge")["deleted"] >= 2, "transitions purged")
    assert rows(h, "SELECT to_status FROM v_transitions WHERE component = 'c0'") == [("healthy",)]


def test_history_by_command(hale):
    h = started(hale, 2)
    tell(h, 0, "fail the printer is out of paper")
    h.wait_status("c0", "critical")
    settle(h)
    r = h.cli("history", "c0", check=True)
    lines = r.stdout.splitlines()
    assert "CHANGE" in lines[0] and len(lines) == 3
    assert "healthy" in lines[1] and "out of paper" in lines[2]
    got = [json.loads(line) for line in h.cli("-o", "json", "history", "c0", "--results",
                                              "-n", "4", check=True).stdout.splitlines()]
    assert len(got) == 4 and {g["component"] for g in got} == {"c0"}
    assert [g["at"] for g in got] == sorted(g["at"] for g in got)
    r = h.cli("history", "web", check=True)
    assert "ready" in r.stdout and str(h.process_of("web")["pid"]) in r.stdout
    r = h.cli("history", "nobody")
    assert r.returncode == 2 and "nothing is known of 'nobody'" in r.stderr
    r = h.cli("uptime", "--from", "2020-01-01", "--to", "2020-01-02", check=True)
    assert r.stdout == "" and "nothing was monitored" in r.stderr
    r = h.cli("export", "-O", h.state_dir)
    assert r.returncode == 1 and r.stderr == f"hale: {h.state_dir} is a directory: name a file in it\n"
    assert "no change of status of c0 in the last 0" in h.cli("history", "c0", "--since",
                                                              "1ms").stdout.replace("1ms", "0")
    r = h.cli("events", "-n", "50", check=True)
    assert "out of paper" in r.stdout


def test_events_are_followed(hale):
    h = started(hale, 1)
    settle(h)
    with subprocess.Popen([f"{BIN}/hale", "--run-dir", h.run_dir, "events", "-f", "-t", "health"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        try:
            seen = [p.stdout.readline()]  # of what was before; so it is following now
            assert "health" in seen[0] and "healthy" in seen[0], seen
            tell(h, 0, "fail here and now")
            while not any("here and now" in line for line in seen):
                seen.append(p.stdout.readline())
                assert seen[-1] != "", seen
        finally:
            p.send_signal(signal.SIGINT)
        assert p.wait(DEADLINE) == 0
        assert p.stderr.read() == ""


def test_history_over_http(hale):
    h = started(hale, 3)
    tell(h, 1, "fail once")
    h.wait_status("c1", "critical")
    settle(h)
    path = "/api/v1/health/history"
    code, body = h.get_json(f"{path}?hours=1")
    assert code == 200 and not body["truncated"] and body["rows"]
    times = [r["at"] for r in body["rows"]]
    assert times == sorted(times, reverse=True)
    assert {"c0", "c1", "c2"} <= {r["component"] for r in body["rows"]}
    code, body = h.get_json(f"{path}?component=c1&what=transitions")
    assert [(r["from"], r["to"]) for r in body["rows"]] == [("healthy", "critical"),
                                                            ("unknown", "healthy")]
    assert body["rows"][0]["message"] == "once"
    wait_for(lambda: len(h.get_json(f"{path}?component=c0&limit=8")[1]["rows"]) == 8, "8 rows")
    # Page by page, while new rows come in, is the same as all at once: none missing, none twice.
    got, cursor = [], ""
    while cursor is not None:
        code, page = h.get_json(f"{path}?component=c0&limit=7" +
                                (f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""))
        assert code == 200 and len(page["rows"]) <= 7
        got += [r["at"] for r in page["rows"]]
        cursor = page["cursor"] if page["truncated"] else None
    con = db(h)
    stored = [at for (at,) in con.execute(
        "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') FROM v_results WHERE"
        " component = 'c0' AND at_text <= ? ORDER BY at DESC", (got[0],))]
    con.close()
    assert len(got) > 7 and got == stored
    for bad in ("hours=0", "hours=-1", "hours=x", "hours=nan", "hours=1e9", "hours=99999999",
                "limit=0", "limit=10001", "limit=1.5", "limit=", "what=nothing",
                "component=NO%20SUCH", "cursor=garbage", "cursor=", "colour=red",
                "hours=1&hours=2", "hours=%00"):
        code, body = h.get_json(f"{path}?{bad}")
        assert code == 400, (bad, code, body)
        assert body["success"] is False and body["errorCode"] == "BAD_REQUEST", bad
        assert bad.split("=")[0] in body["error"] or "parameter" in body["error"], (bad, body)
    code, body = h.get_json("/api/v1/events?what=processes&limit=3")
    assert code == 200 and len(body["rows"]) == 3 and "process" in body["rows"][0]
