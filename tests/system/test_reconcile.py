# SPDX-License-Identifier: Apache-2.0
"""Tables put right: http to PostgreSQL and sql to SQLite, end to end through the command line."""
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import threading

import pytest

from conftest import BIN, DEADLINE, wait_for

HTTP_JOB = """
components:
  watched: {null: {file: '@DIR@/watched'}, interval: 1s, timeout: 500ms}
reconcile:
  positions:
    source:
      http: {url: '%(url)s/positions', expect: '.connected', rows: '.positions[]'}
    target: {postgres: {dsn: '%(dsn)s'}, table: trade.positions}
    key: [symbol]
    scope: "status = 'open'"
    columns:
      shares: {from: '= .position'}
      entry_price: {from: avgCost, tolerance: 0.01}
    skip: '.position < 0'
    insert:
      values: {status: open, stop_price: '= .avgCost * 0.95', opened_at: '= $now'}
    close: {mode: update, set: {status: closed, closed_at: '= $now'}}
    guards: {max_changes: 5, min_interval: %(interval)s%(guards)s}
%(more)s
"""

SCHEMA = """
DROP SCHEMA IF EXISTS trade CASCADE; CREATE SCHEMA trade;
DROP TABLE IF EXISTS hale_reconcile_runs, hale_reconcile_changes;
CREATE TABLE trade.positions (id serial PRIMARY KEY, symbol text NOT NULL, shares numeric NOT NULL,
  entry_price numeric(12,4) NOT NULL CHECK (entry_price > 0), status text NOT NULL,
  stop_price numeric, opened_at timestamptz, closed_at timestamptz);
INSERT INTO trade.positions (symbol, shares, entry_price, status, stop_price) VALUES
  ('AAPL', 10, 100, 'open', 95), ('TSLA', 7, 70, 'open', 66), ('MSFT', 1, 1, 'closed', 1);
"""

ROWS = "SELECT symbol, shares, entry_price, status, stop_price FROM trade.positions ORDER BY id"
UNTOUCHED = [["AAPL", "10", "100.0000", "open", "95"], ["TSLA", "7", "70.0000", "open", "66"],
             ["MSFT", "1", "1.0000", "closed", "1"]]
WARNED = [r"Reconciliation (refused|failed|error|not started)"]


class Broker:
    """The source: answers what it is told."""

    def __init__(self, sink):
        self.positions = [{"symbol": "AAPL", "position": 12, "avgCost": 100.005},
                          {"symbol": "NVDA", "position": 3, "avgCost": 100.01}]
        self.connected = True
        self.status = 200
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = threading.Event()
        sink.answer = self.answer

    def answer(self, path, n):
        if path == "/reconnect":
            return 200, b'{"connected":true}'
        self.asked.set()
        self.may_answer.wait(DEADLINE)
        return self.status, json.dumps({"connected": self.connected,
                                        "positions": self.positions}).encode()


@pytest.fixture
def broker(sink):
    return Broker(sink)


@pytest.fixture
def http_hale(hale, sink, broker, postgres):
    def make(interval="0s", guards="", more=""):
        postgres.sql(SCHEMA)
        h = hale(HTTP_JOB % {"url": sink.url, "dsn": postgres.dsn, "interval": interval,
                             "guards": guards, "more": more}, start=False)
        with open(f"{h.dir}/watched", "w") as f:
            f.write("pass")
        return h.start()
    return make


def reconcile(h, job, *args):
    """(exit code, run object)"""
    r = h.cli("-o", "json", "reconcile", job, *args)
    return r.returncode, json.loads(r.stdout) if r.stdout else r.stderr


def test_http_to_postgres_dry_then_real_then_in_sync(http_hale, postgres):
    h = http_hale(interval="60s")
    code, run = reconcile(h, "positions", "--dry-run")
    assert code == 0 and run["dry_run"] is True, run
    assert [(r["op"], r["key"]) for r in run["plan"]] == [
        ("update", "AAPL"), ("insert", "NVDA"), ("close", "TSLA")]
    assert postgres.sql(ROWS) == UNTOUCHED
    assert postgres.sql("SELECT to_regclass('hale_reconcile_runs') IS NULL") == [["t"]]
    code, run = reconcile(h, "positions")
    assert code == 0 and run["outcome"] == "done" and run["errors"] == [], run
    assert (run["inserted"], run["updated"], run["closed"]) == (1, 1, 1)
    # Exactly the broker's digits, and the stop of an updated row is not touched.
    assert postgres.sql(ROWS) == [
        ["AAPL", "12", "100.0050", "open", "95"], ["TSLA", "7", "70.0000", "closed", "66"],
        ["MSFT", "1", "1.0000", "closed", "1"], ["NVDA", "3", "100.0100", "open", "95.0095"]]
    assert postgres.sql("SELECT count(*) FROM trade.positions WHERE status = 'closed'"
                        " AND closed_at > now() - interval '1 minute'") == [["1"]]
    changes = postgres.sql("SELECT op, key, before->>'shares', after->>'shares' FROM"
                           " hale_reconcile_changes ORDER BY number")
    assert changes == [["update", "AAPL", "10", "12"], ["insert", "NVDA", "", "3"],
                       ["close", "TSLA", "", ""]]
    assert postgres.sql("SELECT outcome, inserted, updated, closed, run FROM hale_reconcile_runs") == [
        ["done", "1", "1", "1", run["run"]]]
    h.allow(*WARNED)
    code, text = reconcile(h, "positions")
    assert code != 0 and "min_interval" in str(text)
    code, run = reconcile(h, "positions", "--dry-run")
    assert code != 0, "dry runs have a limit of their own"


def test_the_interval_survives_a_restart(http_hale):
    h = http_hale(interval="60s")
    h.allow(*WARNED, "process ended unexpectedly")
    assert reconcile(h, "positions")[0] == 0
    before = h.process_of("reconciler")
    os.kill(before["pid"], signal.SIGKILL)
    wait_for(lambda: h.process_of("reconciler")["generation"] > before["generation"] and
             h.process_of("reconciler")["state"] == "ready", "restarted")
    code, run = reconcile(h, "positions")
    assert code != 0 and "min_interval" in str(run)


def test_in_sync_nothing_changes_and_the_run_is_recorded(http_hale, broker, postgres):
    h = http_hale()
    assert reconcile(h, "positions")[0] == 0
    rows = postgres.sql(ROWS)
    broker.positions[0]["avgCost"] = 100.015  # 0.01 away: no change
    code, run = reconcile(h, "positions")
    assert code == 0 and run["plan"] == [], run
    assert postgres.sql(ROWS) == rows
    assert postgres.sql("SELECT count(*) FROM hale_reconcile_runs") == [["2"]]
    broker.positions[0]["avgCost"] = 100.0151
    code, run = reconcile(h, "positions")
    assert run["updated"] == 1
    assert postgres.sql("SELECT entry_price FROM trade.positions WHERE symbol = 'AAPL'") == [["100.0151"]]


def test_a_rejected_row_is_isolated(http_hale, broker, postgres):
    h = http_hale()
    h.allow(*WARNED)
    broker.positions.append({"symbol": "BAD", "position": 1, "avgCost": -1})
    code, run = reconcile(h, "positions")
    assert run["outcome"] == "done" and len(run["errors"]) == 1, run
    assert run["errors"][0].startswith("Failed to insert BAD: ")
    assert (run["inserted"], run["updated"], run["closed"]) == (1, 1, 1)
    assert postgres.sql("SELECT key FROM hale_reconcile_changes WHERE error IS NOT NULL") == [["BAD"]]


def test_guards_fail_closed(http_hale, broker, postgres):
    h = http_hale()
    h.allow(*WARNED)
    good = broker.positions
    broker.positions = []
    code, run = reconcile(h, "positions")
    assert code != 0 and run["outcome"] == "refused", run
    assert "allow_empty: the source has no rows, the table has 2" in run["errors"][0]
    broker.positions = [{"symbol": f"S{i}", "position": 1, "avgCost": 1} for i in range(6)]
    assert "max_changes: 8 rows would change, 5 may" in reconcile(h, "positions")[1]["errors"][0]
    broker.positions, broker.connected = good, False
    assert "expect" in reconcile(h, "positions")[1]["errors"][0]
    broker.connected, broker.status = True, 503
    code, run = reconcile(h, "positions")
    assert run["outcome"] == "failed" and "HTTP status 503" in run["errors"][0]
    broker.status = 200
    broker.positions = good + good[:1]
    code, run = reconcile(h, "positions", "--dry-run")
    assert [r["op"] for r in run["plan"]] == ["insert"]
    assert any("Duplicate key in the source: AAPL" in e for e in run["errors"])
    assert any("not closed" in e for e in run["errors"])
    assert postgres.sql(ROWS) == UNTOUCHED
    broker.positions = good + [{"symbol": "TSLA", "position": -7, "avgCost": 70}]
    code, run = reconcile(h, "positions")
    assert code == 0 and run["closed"] == 0 and run["skipped"] == 1, run


def test_the_gate_is_the_health_of_a_component(http_hale, postgres):
    h = http_hale(guards=", require_healthy: [watched]")
    h.allow(*WARNED)
    h.wait_status("watched", "healthy")
    with open(f"{h.dir}/watched", "w") as f:
        f.write("fail gateway away")
    h.wait_status("watched", "critical")
    code, run = wait_for(lambda: (lambda r: r if r[0] != 0 else None)(
        reconcile(h, "positions", "--dry-run")), "refused")
    assert run["outcome"] == "refused" and run["errors"] == [
        "require_healthy: watched is critical"]
    assert postgres.sql(ROWS) == UNTOUCHED
    with open(f"{h.dir}/watched", "w") as f:
        f.write("pass")
    h.wait_status("watched", "healthy")
    wait_for(lambda: reconcile(h, "positions")[0] == 0, "open again")


def test_one_run_at_a_time(http_hale, broker):
    h = http_hale()
    h.allow(*WARNED)
    broker.may_answer.clear()
    results = []
    first = threading.Thread(target=lambda: results.append(reconcile(h, "positions")))
    first.start()
    assert broker.asked.wait(DEADLINE)
    code, text = reconcile(h, "positions")
    assert code != 0 and "Already running" in str(text)
    broker.may_answer.set()
    first.join(DEADLINE)
    assert results[0][0] == 0


def test_stopping_in_the_middle_changes_nothing(http_hale, broker, postgres):
    h = http_hale()
    h.allow(*WARNED)
    broker.may_answer.clear()
    threading.Thread(target=lambda: h.cli("reconcile", "positions"), daemon=True).start()
    assert broker.asked.wait(DEADLINE)
    assert h.stop() == 0
    broker.may_answer.set()
    assert postgres.sql(ROWS) == UNTOUCHED


def test_startup_and_rhythm_run_by_themselves(http_hale, broker, postgres):
    h = http_hale(more="    on_start: 100ms\n    every: 1s\n")

    def causes(*wanted):
        have = {r[0] for r in postgres.sql("SELECT DISTINCT cause FROM hale_reconcile_runs")}
        return set(wanted) <= have
    wait_for(lambda: postgres.sql("SELECT count(*) FROM trade.positions WHERE symbol = 'NVDA'")
             == [["1"]], "put right")
    wait_for(lambda: causes("startup", "schedule"), "both kinds of runs")
    listed = h.json("reconcile")["jobs"][0]
    assert listed["name"] == "positions" and listed["schedule"] == "every 1s"
    assert listed["next_run"] and listed["last_run"]["outcome"] == "done"


def test_actions_are_run_by_hand(http_hale, sink):
    h = http_hale(more=f"""
actions:
  reconnect: {{http: {{url: '{sink.url}/reconnect', headers: {{X-Reason: operator}}, body: '{{}}'}}}}
  broken: {{http: {{url: '{sink.url}/nothing', method: GET}}}}
""")
    sink.answer = lambda path, n: (200, b"fine") if path == "/reconnect" else (500, b"no such thing")
    done = h.json("action", "reconnect")
    assert done["outcome"] == "done" and done["took_ms"] > 0, done
    assert sink.requests[-1]["method"] == "POST"
    assert sink.requests[-1]["headers"]["X-Reason"] == "operator"
    h.allow("Action failed")
    r = h.cli("action", "broken")
    assert r.returncode != 0 and "500" in r.stdout + r.stderr
    r = h.cli("action", "recnnect")
    assert r.returncode != 0 and "did you mean 'reconnect'" in r.stdout + r.stderr


SQL_JOB = """
store: {sqlite: {path: '@DIR@/history.db'}}
reconcile:
  stock:
    source: {sql: {sqlite: {path: '@DIR@/source.db'}, query: 'SELECT sku, place, amount FROM truth'}}
    target: {sqlite: {path: '@DIR@/target.db'}, table: stock}
    key: [sku, place]
    columns: {amount: {}}
    close: {mode: delete}
    guards: {min_interval: 0s}
"""


def test_sql_to_sqlite(hale):
    h = hale(SQL_JOB, start=False)
    source = sqlite3.connect(f"{h.dir}/source.db")
    source.executescript("CREATE TABLE truth (sku TEXT, place TEXT, amount INTEGER);"
                         "INSERT INTO truth VALUES ('a', 'x', 1), ('a', 'y', 2), ('b', 'x', 3);")
    target = sqlite3.connect(f"{h.dir}/target.db", isolation_level=None)
    target.executescript("CREATE TABLE stock (sku TEXT, place TEXT, amount INTEGER);"
                         "INSERT INTO stock VALUES ('a', 'x', 1), ('a', 'y', 9), ('c', 'z', 7);")
    h.start()

    def digest():
        with open(f"{h.dir}/target.db", "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()
    before = digest()
    code, run = reconcile(h, "stock", "--dry-run")
    assert code == 0 and {(r["op"], r["key"]) for r in run["plan"]} == {
        ("update", "a/y"), ("insert", "b/x"), ("close", "c/z")}
    assert digest() == before
    code, run = reconcile(h, "stock")
    assert code == 0 and run["outcome"] == "done", run
    assert target.execute("SELECT * FROM stock ORDER BY sku, place").fetchall() == [
        ("a", "x", 1), ("a", "y", 2), ("b", "x", 3)]
    deleted = target.execute("SELECT before FROM hale_reconcile_changes WHERE op = 'close'").fetchone()
    assert json.loads(deleted[0]) == {"sku": "c", "place": "z", "amount": 7}
    text = h.cli("reconcile", "stock", check=True).stdout
    assert "nothing to change" in text

    def told():
        lines = h.cli("-o", "json", "events", "-n", "50").stdout.splitlines()
        return [e for e in map(json.loads, lines) if run["run"] in json.dumps(e)]
    wait_for(told, "the recorder has the run")


def test_wrong_jobs_are_refused_with_their_place(hale):
    h = hale(SQL_JOB.replace("columns: {amount: {}}", "columns: {amount: {from: '= .a['}}")
             .replace("close: {mode: delete}", "close: {mode: update}"), start=False)
    r = subprocess.run([f"{BIN}/haled", "--config", h.config_path, "--check"], capture_output=True,
                       text=True, timeout=DEADLINE)
    assert r.returncode != 0
    said = r.stdout + r.stderr
    assert "hale.yaml:9:" in said and "syntax error" in said, said
    assert "needs set" in said, said
