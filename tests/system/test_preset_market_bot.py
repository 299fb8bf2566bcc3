# SPDX-License-Identifier: Apache-2.0
"""etc/presets/market-bot.yaml against a PostgreSQL, an API, a WebSocket and a systemd: in the words
and with the numbers of the system it comes from."""
import json
import os

import pytest

from conftest import Sink, wait_for
from presets import empty_database, preset, told
from test_kind_systemd import Bus, failed, service
from test_kind_websocket import Feed

UNITS = ["polymarket-trader", "polymarket-dashboard", "polymarket-monitor"]
SCHEMA = """
CREATE TABLE triggers (id int, created_at timestamptz);
CREATE TABLE orders (id int, created_at timestamptz);
"""


@pytest.fixture
def tables(postgres):
    with empty_database(postgres) as sql:
        sql(SCHEMA)
        yield sql


@pytest.fixture
def feed(tmp_path):
    f = Feed(str(tmp_path))
    yield f
    f.stop()


@pytest.fixture
def bus():
    b = Bus()
    yield b
    b.stop()


def tell(bus, **units):
    bus.tell({f"{name}.service": units.get(name.split("-")[1], service()) for name in UNITS})


def start(hale, bus, **env):
    def change(text):
        assert text.count("      scope: user\n") == 1
        return text.replace("      scope: user\n", f"      scope: user\n      bus: '{bus.address}'\n")
    return preset(hale("components: {}\n", start=False), "market-bot", change=change, **env)


def failures(h, name):
    return h.component(name)["consecutive_failures"]


def test_market_bot(hale, sink, feed, bus, postgres, tables):
    tell(bus)
    tables("INSERT INTO triggers VALUES (1, now() - interval '59 minutes'),"
           " (2, now() - interval '61 minutes');"
           "INSERT INTO orders VALUES (1, now() - interval '23 hours'),"
           " (2, now() - interval '25 hours'), (3, now())")
    sink.answer = lambda path, n: (200, json.dumps([{"id": 1}]).encode())
    h = start(hale, bus, DATABASE_URL=postgres.dsn, POLYMARKET_API_URL=sink.url,
              POLYMARKET_WS_URL=f"ws://127.0.0.1:{feed.port}/feed")
    told(h, "database", "healthy", "Connected")
    told(h, "polymarket_api", "healthy", "Connected, 1 markets fetched")
    assert sink.requests[0]["path"] == "/markets?limit=1"
    c = told(h, "websocket", "healthy", "Connected, 3 subscriptions")
    assert c["metrics"]["subscription_count"] == 3
    c = told(h, "services", "healthy", "All 3 services running")
    assert c["details"]["running"] == [f"{u}.service" for u in UNITS] or c["details"][
        "running"] == UNITS
    c = told(h, "trading_activity", "healthy", "1 triggers/1h, 2 orders/24h")
    assert c["metrics"]["triggers_last_hour"] == 1 and c["metrics"]["orders_last_day"] == 2
    tables("DELETE FROM triggers; DELETE FROM orders")
    told(h, "trading_activity", "healthy", "0 triggers/1h, 0 orders/24h")

    # Services: one, two, all.
    tell(bus, dashboard=failed())
    c = told(h, "services", "degraded", "1 services down: polymarket-dashboard")
    assert len(c["details"]["running"]) == 2 and len(c["details"]["failed"]) == 1
    tell(bus, dashboard=failed(), monitor=failed())
    told(h, "services", "degraded", "2 services down: polymarket-dashboard, polymarket-monitor")
    tell(bus, trader=failed(), dashboard=failed(), monitor=failed())
    told(h, "services", "critical", "All services down")
    tell(bus)
    told(h, "services", "healthy", "All 3 services running")

    # One failure is degraded, the third unhealthy.
    h.cli("stop", "check.sql", check=True)
    tables("ALTER TABLE orders RENAME TO orders_away")
    h.cli("start", "check.sql", check=True)
    c = wait_for(lambda: (lambda c: c if c["consecutive_failures"] in (1, 2) else None)(
        h.component("trading_activity")), "a first failure")
    assert c["status"] == "degraded", c
    c = told(h, "trading_activity", "critical")
    assert "orders" in c["message"] and c["consecutive_failures"] >= 3
    postgres.stop()
    told(h, "database", "down", "Connection failed")
    feed.stop()
    told(h, "websocket", "down", "Disconnected")
    sink.answer = lambda path, n: (500, b"maintenance")
    c = told(h, "polymarket_api", "critical")
    assert "HTTP 500" in c["message"]
    sink.close()
    told(h, "polymarket_api", "down")


def test_what_is_not_configured_does_not_count(hale, bus):
    tell(bus)
    h = start(hale, bus)
    for name in ("polymarket_api", "websocket"):
        c = h.component(name)
        assert (c["status"], c["message"], c["consecutive_failures"]) == (
            "unknown", "Client not configured", 0)
    told(h, "services", "healthy")
    wait_for(lambda: h.status()["status"] == "healthy", "they do not count")
