# SPDX-License-Identifier: Apache-2.0
"""Rows in the store are results published, exactly: under load, with the recorder killed every few
seconds and PostgreSQL stopped twice.

HALE_EXACT_SECONDS=600 HALE_EXACT_RATE=20000 is the long form of the same."""
import os
import signal
import sqlite3
import sys
import threading
import time

import pytest

from conftest import DEADLINE, Postgres, Rpc, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "chaos"))
from busreader import BusReader  # noqa: E402

SANITIZED = bool(os.environ.get("HALE_SANITIZED"))
SECONDS = int(os.environ.get("HALE_EXACT_SECONDS", "12"))
RATE = int(os.environ.get("HALE_EXACT_RATE", "2000" if SANITIZED else "6000"))
KILL_EVERY_S = 3
CATCH_UP_S = 120 + SECONDS
HZ = 10  # checks of a component in a second


class Counter(BusReader):
    """Counts the lines of health by the heads of their frames, replayed ones too."""

    def __init__(self, hale):
        self.health = {}
        super().__init__(hale)

    @staticmethod
    def parse(text):
        topic, epoch, first, count = text[:text.index("\n")].split(" ")
        return topic, epoch, int(first), range(int(count))

    def note(self, topic, epoch, first, lines):
        new = first + len(lines) - 1 - (self.seq if epoch == self.epoch else 0)
        if new <= 0:
            return
        self.epoch, self.seq = epoch, first + len(lines) - 1
        if topic == "health":
            self.health[epoch] = self.health.get(epoch, 0) + min(new, len(lines))


def config(store):
    # The ring holds what comes while the recorder is being restarted.
    head = ("bus: {ring: 256MB}\nprocesses: {recorder: {restart: {delay: 100ms, burst: 31}}}\n"
            f"{store}\ncomponents:\n")
    return head + "\n".join(f"  c{i}: {{null: {{}}, interval: {1000 // HZ}ms, timeout: 50ms}}"
                            for i in range(RATE // HZ)) + "\n"


class Killer(threading.Thread):
    def __init__(self, h):
        super().__init__(daemon=True)
        self.h, self.ended, self.kills = h, threading.Event(), 0

    def run(self):
        while not self.ended.wait(KILL_EVERY_S):
            p = self.h.process_of("recorder")
            if p["state"] == "ready" and p["pid"]:
                os.kill(p["pid"], signal.SIGKILL)
                self.kills += 1

    def close(self):
        self.ended.set()
        self.join(DEADLINE)


def run(h, server):
    """Load for SECONDS; twice in it the server is away."""
    h.allow(r"process ended unexpectedly", r"store cannot be used", r"crash-looping",
            r"store could not be kept in order", r"runs stably again", r"monitoring is paused",
            # It is not what this is about: on a small machine it cannot follow 20,000 a second.
            r"lines were lost process=notifier")
    bus = Counter(h)
    killer = Killer(h)
    killer.start()
    begun = time.monotonic()
    for part in range(1, 7):
        wait_for(lambda: time.monotonic() - begun > part * SECONDS / 7, "time goes by",
                 SECONDS + DEADLINE)
        if server is not None and part in (2, 5):
            server.stop()
        elif server is not None and part in (3, 6):
            server.start()
    killer.close()
    return bus, killer.kills


def published(h, bus):
    """All that haled said, once it says no more; how many lines of health were among it."""
    h.cli("pause", check=True)
    head = wait_for(lambda: quiet(h, bus), "nobody says anything any more", CATCH_UP_S)
    assert bus.lost == 0, "the subscriber itself missed lines"
    return head, bus.health[head[0]]


def quiet(h, bus):
    status = h.status()
    stored = Rpc(h, "recorder").call("store.status")
    cursor = stored["cursor"]
    return (status["head"] == bus.seq and cursor["seq"] == status["head"] and
            cursor["epoch"] == status["epoch"] and (status["epoch"], status["head"]))


def assert_exact(rows, h, bus, kills):
    (epoch, head), health = published(h, bus)
    count, distinct, low, high = rows(f"SELECT count(*), count(DISTINCT seq), min(seq), max(seq)"
                                      f" FROM v_results WHERE epoch = '{epoch}' AND seq <= {head}")
    assert count == distinct, f"{count - distinct} rows twice"
    assert count == health, f"{health} results published, {count} in the store"
    others = rows(f"SELECT count(*), count(*), 0, 0 FROM v_process_events WHERE epoch = '{epoch}'"
                  f" AND seq <= {head}")[0]
    events = rows(f"SELECT count(*), count(*), 0, 0 FROM v_events WHERE epoch = '{epoch}'"
                  f" AND seq <= {head}")[0]
    assert count + others + events == head, (count, others, events, head)
    status = Rpc(h, "recorder").call("store.status")
    assert status["lines_dropped"] == status["lines_skipped"] == 0
    assert kills >= min(2, SECONDS // KILL_EVERY_S - 1)
    rate = count / SECONDS
    print(f"{count} results, {rate:.0f} a second, {kills} kills, last number {high}")
    assert rate > RATE / 4, "there was hardly any load"


def test_sqlite(hale):
    h = hale(config("store: {spool: {bytes: 4GB}}"))
    bus, kills = run(h, None)

    def rows(sql):
        con = sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True, timeout=DEADLINE)
        try:
            return con.execute(sql).fetchone()
        finally:
            con.close()
    try:
        assert_exact(rows, h, bus, kills)
    finally:
        bus.close()


@pytest.fixture(scope="module")
def server():
    """One of our own, because it is stopped."""
    p = Postgres()
    yield p
    p.close()


def test_postgres_stopped_twice(hale, server):
    h = hale(config(f"store: {{postgres: {{dsn: '{server.dsn}', connect_timeout: 1s}}, spool:"
                    " {bytes: 4GB}}"))
    bus, kills = run(h, server)

    def rows(sql):
        return [int(v) for v in server.sql(f"SET search_path TO hale; {sql}")[0]]
    try:
        assert_exact(rows, h, bus, kills)
    finally:
        bus.close()
