# SPDX-License-Identifier: Apache-2.0
"""haled as a parent: it starts, watches, restarts and stops its processes, and forgets nothing."""
import json
import os
import signal
import sqlite3
import time

import pytest

from conftest import DEADLINE, Hale, is_alive, wait_for

CRASH = [r"process ended unexpectedly", r"process is crash-looping", r"does not respond"]


def many(n, extra=""):
    """n components at 1 s that answer what a file says."""
    lines = ["components:"]
    for i in range(n):
        lines.append(f"  c{i}: {{null: {{file: '@DIR@/c{i}'}}, interval: 1s, timeout: 500ms}}")
    return "\n".join(lines) + "\n" + extra


def tell(h, i, text):
    """Atomically, as a checker may read at any moment."""
    with open(f"{h.dir}/c{i}.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/c{i}.new", f"{h.dir}/c{i}")


def transitions(h, like="c%"):
    """(component, from, to) in order, out of the recorder's store."""
    db = sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True, timeout=DEADLINE)
    try:
        return db.execute(
            "SELECT component, from_status, to_status FROM v_transitions WHERE component LIKE ?"
            " ORDER BY at, seq", (like,)).fetchall()
    finally:
        db.close()


ALERTS = """
alerts:
  channels: {sink: {webhook: {url: "%s/alerts"}, rate: 100000}}
  rules:
    - {name: each, type: status_change, components: ["c*"], cooldown: 0s, channels: [sink],
       on: [healthy, degraded, critical, down, unknown]}
"""


def test_each_process_killed_twenty_times_loses_and_repeats_nothing(hale, sink):
    h = hale(many(100, ALERTS % sink.url), start=False)
    h.allow(*CRASH)
    for i in range(100):
        tell(h, i, "pass")
    h.start()
    wait_for(lambda: sum(c["status"] == "healthy" for c in h.status()["components"]) >= 103,
             "all components healthy")
    names = [p["name"] for p in h.status()["processes"]]
    assert set(names) >= {"check.null", "recorder", "notifier", "web"}
    flip = 0
    for name in names:
        for _ in range(20):
            before = h.process_of(name)
            # Something changes while the process is away.
            tell(h, flip % 100, "fail broken" if flip // 100 % 2 == 0 else "pass")
            flip += 1
            os.kill(before["pid"], signal.SIGKILL)

            def ready_again():
                p = h.process_of(name)
                if p["state"] == "backoff" and p["crash_looping"]:
                    h.cli("start", name, "--no-wait")  # no need to sit out half a minute
                return p["generation"] > before["generation"] and p["state"] == "ready"
            wait_for(ready_again, f"{name} ready again")
        p = h.process_of(name)
        assert p["restarts"] >= 20
        assert p["last_exit"]["signal"] == "SIGKILL" and not p["last_exit"]["expected"]
    text = h.cli("status").stdout
    assert "SIGKILL" in text
    # What the table says now is what was stored and told, each change once.
    expected = {i: "critical" if i < flip % 100 or flip >= 100 else "healthy" for i in range(100)}
    for i in range(100):
        expected[i] = "critical" if (flip - 1 - i) // 100 % 2 == 0 and flip > i else "healthy"
    wait_for(lambda: all(h.component(f"c{i}")["status"] == s for i, s in list(expected.items())[:5]),
             "components settled")

    def settled():
        status = {c["id"]: c["status"] for c in h.status()["components"]}
        return all(status[f"c{i}"] == s for i, s in expected.items())
    wait_for(settled, "all components settled")

    def told_equals_stored():
        stored = transitions(h)
        # The first verdict, unknown to healthy, is what the notifier starts from.
        started = set()
        for t in list(stored):
            if t == (t[0], "unknown", "healthy") and t[0] not in started:
                stored.remove(t)
            started.add(t[0])
        told = {b["id"]: (b["component"]["id"], b["previous"], b["status"]) for b in sink.bodies()}
        assert sorted(told.values()) == sorted(stored), f"told {len(told)}, stored {len(stored)}"
        return True
    wait_for(told_equals_stored, "as many notices as transitions")
    # What was on its way when the notifier was killed comes again, under the same key and with the
    # same words; nothing else does.
    again = {}
    for r in sink.requests:
        body = json.loads(r["body"])
        assert r["headers"]["Idempotency-Key"] == body["id"]
        again.setdefault(body["id"], []).append(r["body"])
    assert all(len(set(bodies)) == 1 for bodies in again.values())
    assert sum(len(bodies) - 1 for bodies in again.values()) <= 20


def test_first_restart_is_at_once_then_the_delay_grows(hale):
    h = hale(many(1))
    h.allow(*CRASH)
    tell(h, 0, "pass")
    gaps = []
    for _ in range(5):
        p = wait_for(lambda: (lambda q: q if q["state"] == "ready" else None)(
            h.process_of("check.null")), "ready", 60)
        at = time.monotonic()
        os.kill(p["pid"], signal.SIGKILL)
        wait_for(lambda: h.process_of("check.null")["generation"] > p["generation"], "restart", 60)
        gaps.append(time.monotonic() - at)
    assert gaps[0] < 0.5, gaps
    assert gaps[4] > gaps[1], gaps
    assert gaps[4] > 0.5, gaps  # 100, 200, 400, 800 ms, each -20 % at worst


def test_killed_haled_takes_all_children_with_it_and_announces_nothing_old(hale, sink):
    h = hale(many(3, ALERTS % sink.url), start=False)
    h.allow(*CRASH)
    for i in range(3):
        tell(h, i, "pass" if i else "fail broken")
    h.start()
    h.wait_status("c0", "critical")
    h.wait_status("c1", "healthy")
    wait_for(lambda: len(sink.bodies()) == 1, "one notice")
    h.note_pids()
    pids = set(h.seen_pids)
    since = h.component("c0")["since"]
    h.kill()
    wait_for(lambda: not any(is_alive(p) for p in pids), "no child survives haled", 5)
    h.start()
    wait_for(lambda: h.component("c0")["took_ms"] is not None, "checked again")
    assert h.component("c0")["since"] == since
    tell(h, 1, "fail too")
    h.wait_status("c1", "critical")
    wait_for(lambda: len(sink.bodies()) >= 2, "the new notice")
    assert [b["alert"]["component"] for b in sink.bodies()] == ["c0", "c1"]


def test_a_transition_survives_haled_killed_before_the_recorder_saw_it(hale):
    h = hale(many(2), start=False)
    h.allow(*CRASH)
    tell(h, 0, "pass")
    tell(h, 1, "pass")
    h.start()
    h.wait_status("c0", "healthy")
    wait_for(lambda: ("c0", "unknown", "healthy") in transitions(h), "stored")
    recorder = h.process_of("recorder")["pid"]
    os.kill(recorder, signal.SIGSTOP)
    tell(h, 0, "fail unseen")
    h.wait_status("c0", "critical")
    h.kill()
    wait_for(lambda: not is_alive(recorder), "recorder gone")
    h.start()
    wait_for(lambda: transitions(h, "c0")[1:] == [("c0", "healthy", "critical")],
             "stored by the next haled, once")


def test_a_stopped_checker_is_killed_and_its_components_are_unknown_meanwhile(hale):
    h = hale(many(2, "processes: {check.null: {watchdog: 1s}}\n"), start=False)
    h.allow(*CRASH)
    tell(h, 0, "pass")
    tell(h, 1, "pass")
    h.start()
    h.wait_status("c0", "healthy")
    pid = h.process_of("check.null")["pid"]
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: h.component("c0")["status"] == "unknown" or
             h.process_of("check.null")["generation"] > 1, "unknown or already restarted")
    wait_for(lambda: h.process_of("check.null")["generation"] == 2, "restarted")
    assert "did not respond" in h.process_of("check.null")["last_exit"]["text"]
    h.wait_status("c0", "healthy")
    wait_for(lambda: ("c0", "healthy", "unknown") in transitions(h), "unknown in between")


def test_a_checker_that_blocks_its_loop_is_killed_too(hale):
    h = hale("""
components:
  good: {null: {}, interval: 1s, timeout: 500ms}
  frozen: {null: {freeze: true}, interval: 1s, timeout: 500ms, group: ice}
processes: {check.null.ice: {watchdog: 1s}}
""", start=False)
    h.allow(*CRASH)
    h.start(ready=False)
    wait_for(lambda: h.process_of("check.null.ice")["restarts"] >= 1, "restarted")
    h.wait_status("good", "healthy")


def test_crash_loop_is_a_critical_component_and_an_event(hale):
    h = hale(many(1, "processes: {recorder: {restart: {burst: 2, base: 10ms, cap: 500ms}}}\n"))
    h.allow(*CRASH)
    tell(h, 0, "pass")
    for _ in range(3):
        p = wait_for(lambda: (lambda q: q if q["state"] == "ready" else None)(
            h.process_of("recorder")), "ready")
        os.kill(p["pid"], signal.SIGKILL)
        wait_for(lambda: h.process_of("recorder")["generation"] > p["generation"] or
                 h.process_of("recorder")["state"] == "backoff", "noticed")
    c = h.wait_status("hale.recorder", "critical")
    assert c["reason"] == "crash_loop" and "SIGKILL" in c["message"]
    assert h.status()["status"] == "degraded"  # hale's own parts never make the total critical
    wait_for(lambda: h.process_of("recorder")["state"] == "ready", "tried again at the cap")
    wait_for(lambda: "crash_loop" in h.cli("events", "-n", "100").stdout, "the event is stored")


def test_stop_start_restart_by_name_and_glob(hale):
    h = hale(many(1))
    tell(h, 0, "pass")
    pids = {p["name"]: p["pid"] for p in h.status()["processes"]}
    r = h.cli("restart", "web", check=True)
    assert "ready" in r.stdout
    now = {p["name"]: p["pid"] for p in h.status()["processes"]}
    assert now["web"] != pids["web"]
    assert {k: v for k, v in now.items() if k != "web"} == {
        k: v for k, v in pids.items() if k != "web"}
    h.cli("stop", "check.*", check=True)
    wait_for(lambda: h.process_of("check.null")["state"] == "stopped", "stopped")
    assert h.component("c0")["status"] == "unknown"
    h.cli("start", "check.null", check=True)
    h.wait_status("c0", "healthy")
    r = h.cli("restart", "wbe")
    assert r.returncode == 2 and "did you mean 'web'" in r.stderr


def test_sigterm_stops_everything_and_leaves_nothing(hale):
    h = hale(many(3))
    h.note_pids()
    pids = set(h.seen_pids)
    begun = time.monotonic()
    assert h.stop() == 0
    assert time.monotonic() - begun < 5
    assert not [p for p in pids if is_alive(p)]
    assert sorted(os.listdir(h.run_dir)) == ["haled.lock"]


@pytest.mark.parametrize("shared", ["run", "state"])
def test_a_second_haled_in_the_same_directory_is_refused(hale, shared):
    h = hale(many(1))
    second = Hale()
    second.config_path = h.config_path
    if shared == "run":
        second.run_dir = h.run_dir
    else:
        second.state_dir = h.state_dir
    second.start(ready=False)
    assert second.process.wait(DEADLINE) == 1
    assert f"another haled runs with the {shared} directory" in second.logs()
    second.process = None
    second.allow("another haled runs")
    second.close()
    h.wait_ready()


def test_no_fd_grows_over_restarts(hale):
    h = hale(many(2, "processes: {check.null: {restart: {delay: 10ms, burst: 31}}}\n"))
    h.allow(*CRASH)
    fds = f"/proc/{h.process.pid}/fd"

    def crash(times):
        for _ in range(times):
            p = wait_for(lambda: (lambda q: q if q["state"] == "ready" else None)(
                h.process_of("check.null")), "ready")
            os.kill(p["pid"], signal.SIGKILL)
            wait_for(lambda: h.process_of("check.null")["generation"] > p["generation"], "again")
        h.wait_ready()
    crash(3)
    before = len(os.listdir(fds))
    crash(15)
    wait_for(lambda: len(os.listdir(fds)) <= before + 2, f"fds back to {before}")
