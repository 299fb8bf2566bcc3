# SPDX-License-Identifier: Apache-2.0
"""Over a restart of haled, of web and of the recorder everything stands as it stood."""
import contextlib
import json
import os
import re
import signal
import sqlite3

import pytest
from conftest import Hale, wait_for
from test_web import WebSocket

CONFIG = """
components:
  good: {null: {file: '@DIR@/good', metrics: {queue_depth: 7}}, interval: 200ms, timeout: 150ms}
  bad: {null: {file: '@DIR@/bad', metrics: {lag_s: 61}}, interval: 200ms, timeout: 150ms, impact: degraded}
  flaky: {null: {file: '@DIR@/flaky'}, interval: 200ms, timeout: 150ms}
  rare: {null: {file: '@DIR@/rare', metrics: {days_left: 12}}, interval: 1h, timeout: 150ms, group: rare}
programs:
  lame: {command: [/bin/sh, -c, 'test -e @DIR@/stay || exit 3; exec sleep 1000'], restart: {delay: 50ms}}
"""
# What is the same in a component however often haled starts.
LASTING = ("status", "since", "message", "reason", "outcome", "error_count", "last_error", "metrics",
           "recovery_attempts")


def tell(h, name, text):
    with open(f"{h.dir}/{name}.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/{name}.new", f"{h.dir}/{name}")


def saved(h):
    with open(f"{h.state_dir}/health.state") as f:
        return json.load(f)


def view(h):
    status = h.status()
    return {c["id"]: c for c in status["components"]}, {p["name"]: p for p in
                                                       status["processes"]}, status


@pytest.fixture(scope="module")
def begun():
    """One that has seen trouble, has settled, and has written down what it knows."""
    h = Hale(CONFIG)
    h.allow("ended unexpectedly", "crash-looping", "runs stably")
    for name in ("good", "bad", "flaky", "rare"):
        tell(h, name, "pass fine")
    tell(h, "flaky", "fail once")
    tell(h, "bad", "fail disk full")
    h.start(ready=False)
    try:
        wait_for(lambda: h.process_of("lame")["restarts"] >= 2, "it crashes")
        tell(h, "stay", "")
        h.wait_ready()
        h.wait_status("flaky", "critical")
        tell(h, "flaky", "pass again")
        h.wait_status("flaky", "healthy")
        h.wait_status("bad", "critical")
        h.wait_status("rare", "healthy")

        def is_kept():
            kept = saved(h)
            of = kept["health"]["components"]
            return (of["bad"]["failures"] > 3 and of["flaky"]["status"] == "healthy" and
                    kept["processes"]["lame"]["restarts"] >= 2)
        wait_for(is_kept, "it is written down")
        assert h.process_of("lame")["last_exit"]["code"] == 3
        yield h
    finally:
        h.close()


def assert_as_before(h, before):
    components, processes, status = view(h)
    old_components, old_processes, old_status = before
    assert {k: status[k] for k in ("status", "since", "score")} == {
        k: old_status[k] for k in ("status", "since", "score")}
    for name in ("good", "flaky", "rare"):
        for member in LASTING:
            assert components[name][member] == old_components[name][member], (name, member)
    bad, old = components["bad"], old_components["bad"]
    for member in ("status", "since", "message", "last_error", "last_success", "metrics"):
        assert bad[member] == old[member], member
    for name in ("bad", "flaky", "good", "rare"):
        assert components[name]["last_check"] >= old_components[name]["last_check"], name
        assert (components[name]["last_success"] or "") >= (
            old_components[name]["last_success"] or ""), name
    for name, process in processes.items():
        assert process["restarts"] >= old_processes[name]["restarts"], name
    last_exit = processes["lame"]["last_exit"]  # a stop that was asked for is one, too
    assert last_exit["expected"] or last_exit == old_processes["lame"]["last_exit"]
    for name in ("hale.recorder", "hale.web", "hale.config"):
        assert components[name]["since"] == old_components[name]["since"], name
    return components


def counted(h, name):
    c = h.component(name)
    return c["consecutive_failures"], c["error_count"]


def counter(h, pattern):
    return float(re.search(pattern + r" (\S+)\n", h.get("/metrics")[1]).group(1))


def transitions(h):
    with contextlib.closing(sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro",
                                            uri=True)) as db:
        return db.execute("SELECT at, component, from_status, to_status FROM v_transitions"
                          " ORDER BY at, component").fetchall()


def lately(h):
    with contextlib.closing(WebSocket(h.port)) as ws:
        recent = ws.event()["data"]["recent"]
    return [(e["data"]["component"], e["data"]["previous"], e["data"]["state"]["status"])
            for e in recent if e["event"] == "health:update"]


def in_order(h):
    h.stop()


def killed(h):
    h.kill()


@pytest.mark.parametrize("end", [killed, in_order])
def test_haled_comes_up_as_it_went(begun, end):
    h = begun
    kept = saved(h)["health"]["components"]["bad"]
    before = view(h)
    count = len(transitions(h))
    end(h)
    # Nothing is checked while it comes up: what is shown first is what was known last.
    h.start(ready=False)
    first = wait_for(lambda: view(h), "it answers")
    assert first[2]["status"] == before[2]["status"] and first[2]["since"] == before[2]["since"]
    for member in LASTING:
        assert first[0]["rare"][member] == before[0]["rare"][member], member
    h.wait_ready()
    checked = first[0]["bad"]["last_check"]
    wait_for(lambda: h.component("bad")["last_check"] > checked, "checked again")
    assert_as_before(h, before)
    failures, errors = counted(h, "bad")
    # What a crash loses of counters is what came after the file was written, seconds ago.
    least = (kept["failures"], kept["errors"]) if end is killed else (
        before[0]["bad"]["consecutive_failures"], before[0]["bad"]["error_count"])
    assert failures > least[0] and errors > least[1]
    wait_for(lambda: h.get_json("/api/v1/components/bad")[1]["since"] == before[0]["bad"]["since"],
             "web shows it")
    assert counter(h, r'hale_process_restarts_total\{process="lame"\}') >= before[1]["lame"][
        "restarts"]
    assert counter(h, r'hale_health_failures\{component="bad"\}') > least[0]
    # A start is no change of status of anybody.
    assert len(transitions(h)) == count


def test_web_and_recorder_come_up_as_they_went(begun):
    h = begun
    before = view(h)
    count = len(transitions(h))
    for name in ("web", "recorder"):
        for how in ("kill", "restart"):
            old = h.process_of(name)
            if how == "kill":
                os.kill(old["pid"], signal.SIGKILL)
            else:
                h.cli("restart", name, check=True)
            wait_for(lambda: (lambda p: p["pid"] not in (None, old["pid"]) and
                              p["state"] == "ready")(h.process_of(name)), f"{name} is back")
    wait_for(lambda: h.get("/readyz")[0] == 200, "web has the state")
    components = assert_as_before(h, before)
    shown = {c["id"]: c for c in h.get_json("/api/v1/components")[1]["components"]}
    for name in ("good", "flaky", "rare", "bad"):
        for member in ("status", "since", "last_error", "metrics"):
            assert shown[name][member] == components[name][member], (name, member)
    assert h.get_json("/api/v1/health")[1]["since"] == before[2]["since"]
    # What happened before it started is told all the same.
    wait_for(lambda: ("flaky", "critical", "healthy") in lately(h), "web remembers")
    tell(h, "flaky", "fail twice")
    h.wait_status("flaky", "critical")
    wait_for(lambda: any(t[1:] == ("flaky", "healthy", "critical") for t in transitions(h)[count:]),
             "the recorder goes on")
