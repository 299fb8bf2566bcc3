# SPDX-License-Identifier: Apache-2.0
"""Two hundred programs die in the same moment: all are back at once, and nobody else notices."""
import os
import signal
import sqlite3
import time

from conftest import DEADLINE, is_alive, wait_for

PROGRAMS = 200
CHECKS = 50
SANITIZED = bool(os.environ.get("HALE_SANITIZED"))
# A tenth of a second on an idle machine; the limit is there for busy ones.
BACK_MAX_S = 20 if SANITIZED else 5
# Checks are made every second; nobody was late by another one.
GAP_MAX_S = 3.5 if SANITIZED else 2.0


def config():
    lines = ["components:"]
    for i in range(CHECKS):
        lines.append(f"  c{i}: {{null: {{}}, interval: 1s, timeout: 500ms}}")
    lines.append("programs:")
    for i in range(PROGRAMS + 1):
        lines.append(f"  s{i}: {{command: [/usr/bin/sleep, '1000000'], ready_after: 10ms,"
                     " log: none}")
    return "\n".join(lines) + "\n"


def programs(h):
    return {p["name"]: p for p in h.status()["processes"] if p["name"].startswith("s")}


def stored(h, query, *args):
    db = sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True, timeout=DEADLINE)
    try:
        return db.execute(query, args).fetchall()
    finally:
        db.close()


def longest_gap(h, since_ms):
    """The longest time any of the components went without a check."""
    last, worst = {}, 0
    for component, at in stored(h, "SELECT component, at FROM v_results WHERE at > ? AND component"
                                   " LIKE 'c%' ORDER BY at", since_ms):
        worst = max(worst, at - last.get(component, at))
        last[component] = at
    assert len(last) == CHECKS
    return worst / 1000


def test_two_hundred_programs_killed_at_once(hale):
    h = hale(config())
    h.allow(r"process ended unexpectedly")
    before = programs(h)
    spared = before.pop(f"s{PROGRAMS}")
    wait_for(lambda: all(h.component(f"c{i}")["status"] == "healthy" for i in (0, CHECKS - 1)),
             "checks are made")
    begun_ms = time.time() * 1000
    wait_for(lambda: time.time() * 1000 > begun_ms + 1500, "a round of checks before the storm")

    for p in before.values():
        os.kill(p["pid"], signal.SIGKILL)
    begun = time.monotonic()

    def all_back():
        now = programs(h)
        return all(now[n]["state"] == "ready" and now[n]["pid"] not in (None, before[n]["pid"])
                   for n in before) and now
    now = wait_for(all_back, "all programs run again")
    took = time.monotonic() - begun
    assert took < BACK_MAX_S
    assert all(p["restarts"] == 1 and not p["crash_looping"] for n, p in now.items() if n in before)
    assert now[spared["name"]]["pid"] == spared["pid"] and is_alive(spared["pid"])

    storm_ms = time.time() * 1000
    wait_for(lambda: all(h.component(f"c{i}")["status"] == "healthy" for i in range(0, CHECKS, 7)),
             "still healthy")
    wait_for(lambda: time.time() * 1000 > storm_ms + 2500, "two rounds of checks after the storm")
    assert longest_gap(h, begun_ms) < GAP_MAX_S
    assert not stored(h, "SELECT component FROM v_transitions WHERE component LIKE 'c%'"
                         " AND to_status <> 'healthy'")
