# SPDX-License-Identifier: Apache-2.0
"""etc/presets/trading-desk.yaml against a gateway, a PostgreSQL and a machine: in the words and with
the numbers of the system it comes from."""
import os

import pytest

from conftest import wait_for
from presets import Machine, bands_of, empty_database, preset, told
from tws import Gateway

SCHEMA = """
CREATE TABLE positions (symbol text, updated_at timestamptz);
CREATE TABLE option_snapshots (conid int, updated_at timestamptz);
CREATE TABLE decisions (id int, created_at timestamptz);
CREATE TABLE alerts (id int, created_at timestamptz);
CREATE TABLE active_strategies (conid int, symbol text, strategy_id text, since timestamptz);
CREATE TABLE position_queue (id int, created_at timestamptz);
"""


@pytest.fixture
def tables(postgres):
    with empty_database(postgres) as sql:
        sql(SCHEMA)
        yield sql


@pytest.fixture
def gateway():
    g = Gateway()
    yield g
    g.close()


def aged(tables, table, column, seconds):
    tables(f"DELETE FROM {table}; INSERT INTO {table} ({column}) VALUES "
           f"(now() - interval '{seconds} seconds')")


def fresh(tables):
    aged(tables, "positions", "updated_at", 0)
    aged(tables, "option_snapshots", "updated_at", 0)
    aged(tables, "decisions", "created_at", 0)
    aged(tables, "alerts", "created_at", 86400)


def start(hale, gateway, postgres, change=lambda text: text):
    return preset(hale("components: {}\n", start=False), "trading-desk", change=change,
                  IB_GATEWAY=f"127.0.0.1:{gateway.port}", DATABASE_URL=postgres.dsn)


def test_connection_slots_and_queue(hale, gateway, postgres, tables):
    fresh(tables)
    tables("INSERT INTO active_strategies SELECT i, 'AAPL', 's', now() FROM generate_series(1, 7) i")
    h = start(hale, gateway, postgres)
    c = told(h, "connection", "healthy", "CONNECTED")
    d = c["details"]
    assert (d["state"], d["host"], d["port"], d["client_id"]) == (
        "CONNECTED", "127.0.0.1", gateway.port, 900)
    assert d["last_heartbeat"] and d["connected_since"] and c["metrics"]["connected_seconds"] >= 0
    gateway.manner = "waiting"
    assert told(h, "connection", "degraded")["details"]["state"] == "CONNECTING"
    gateway.manner = "taken"
    told(h, "connection", "critical", "DISCONNECTED: client id 900 is already in use")
    gateway.manner = "closed"
    c = told(h, "connection", "down")
    assert c["details"]["state"] == "DISCONNECTED" and c["details"]["disconnected_at"]

    c = told(h, "slots", "healthy", "7 of 100 slots")
    assert c["metrics"]["slots_used"] == 7 and c["metrics"]["slot_limit"] == 100
    tables("INSERT INTO active_strategies SELECT i, 'X', 's', now() FROM generate_series(1, 83) i")
    told(h, "slots", "healthy", "90 of 100 slots")
    tables("INSERT INTO active_strategies VALUES (1, 'X', 's', now())")
    told(h, "slots", "degraded", "91 of 100 slots")

    told(h, "queue", "healthy", "0 waiting")
    tables("INSERT INTO position_queue SELECT i, now() FROM generate_series(1, 20) i")
    c = told(h, "queue", "healthy", "20 waiting")
    first = c["metrics"]["queue_oldest_age_seconds"]
    wait_for(lambda: h.component("queue")["metrics"]["queue_oldest_age_seconds"] > first, "grows")
    tables("UPDATE position_queue SET created_at = now() - interval '40 seconds'")
    assert told(h, "queue", "degraded")["message"].startswith("20 waiting, the oldest for 4")
    tables("UPDATE position_queue SET created_at = now() - interval '301 seconds'")
    told(h, "queue", "critical")
    postgres.stop()
    for name in ("queue", "slots", "freshness"):
        told(h, name, "down")
    # Whatever is wrong with them, the whole is degraded at most; without the broker it is critical.
    assert h.status()["status"] in ("critical", "down")
    gateway.manner = "ok"
    told(h, "connection", "healthy")
    wait_for(lambda: h.status()["status"] == "degraded", "impact: degraded")


def test_freshness_has_three_bands(hale, gateway, postgres, tables):
    fresh(tables)
    h = start(hale, gateway, postgres)

    def band(of, wanted, status):
        def reached():
            c = h.component("freshness")
            return c if c["details"].get(f"{of}_band") == wanted and c["status"] == status else None
        return wait_for(reached, f"{of} {wanted} {status}: {h.component('freshness')}")
    for of, table, column in (("positions", "positions", "updated_at"),
                              ("greeks", "option_snapshots", "updated_at"),
                              ("decisions", "decisions", "created_at")):
        fresh(tables)
        c = band(of, "FRESH", "healthy")
        assert c["metrics"][f"{of}_age_seconds"] < 30 and c["details"][f"{of}_last_update"]
        aged(tables, table, column, 42)
        c = band(of, "WARNING", "degraded")
        assert 42 <= c["metrics"][f"{of}_age_seconds"] < 60
        aged(tables, table, column, 61)
        band(of, "STALE", "critical")
    # Alerts have an age, and no band.
    assert h.component("freshness")["metrics"]["alerts_age_seconds"] >= 86400
    fresh(tables)
    band("decisions", "FRESH", "healthy")
    # An error is told as such, and shown as stale.
    tables("ALTER TABLE positions RENAME TO positions_away")
    c = wait_for(lambda: (lambda c: c if c["details"].get("positions_error") else None)(
        h.component("freshness")), "an error")
    assert c["details"]["positions_band"] == "STALE" and c["status"] == "unknown"
    assert c["details"]["greeks_band"] == "FRESH"


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own takes root")
def test_system_has_two_limits(hale, gateway, postgres, tables, tmp_path):
    machine = Machine(str(tmp_path))
    try:
        h = start(hale, gateway, postgres, machine.into)
        bands_of(h, machine, "system", 80, 90)
        c = told(h, "system", "healthy")
        assert c["metrics"]["processes"] >= 0 and c["metrics"]["uptime_seconds"] == 273906.5
        assert c["details"]["uptime"] == "3d4h"
        h.stop()
    finally:
        machine.close()
