# SPDX-License-Identifier: Apache-2.0
"""etc/presets/trading-engine.yaml against real parts: in the words and with the numbers of the
system it comes from."""
import os
import threading

import pytest

from conftest import Sink, wait_for
from presets import Delay, Machine, bands_of, empty_database, preset, told

SCHEMA = """
CREATE TABLE orders (id int, created_at timestamptz DEFAULT now());
CREATE TABLE positions (symbol text);
CREATE TABLE quotes (symbol text, updated_at timestamptz);
INSERT INTO quotes VALUES ('AAPL', now());
"""


@pytest.fixture
def tables(postgres):
    with empty_database(postgres) as sql:
        sql(SCHEMA)
        yield sql


class Api:
    """The engine's API and the others': what they answer and how long they take."""

    def __init__(self, sink):
        self.codes, self.waits, self.headers = {}, {}, {}
        self.url = sink.url
        sink.answer = self.answer

    def answer(self, path, n):
        threading.Event().wait(self.waits.get(path, 0))
        return self.codes.get(path, 200), b"{}", self.headers.get(path, {})


def start(hale, api, postgres, is_quick=True, change=lambda text: text, **env):
    return preset(hale("components: {}\n", start=False), "trading-engine", is_quick=is_quick,
                  change=change, **{**dict(
                      API_URL=api.url, DATABASE_URL=postgres.dsn,
                      EXTERNAL_API_URL=f"{api.url}/external", EXTERNAL_API_KEY="key-31",
                      ORDER_GATEWAY_URL=f"{api.url}/orders", RISK_ENGINE_URL=f"{api.url}/risk"),
                      **env})


def test_the_seven_parts(hale, sink, postgres, tables):
    tables("INSERT INTO orders SELECT i FROM generate_series(1, 1234) i")
    api = Api(sink)
    # One that failed stays in the rates for as long as the window; the test has less patience.
    h = start(hale, api, postgres, change=lambda text: text.replace("window: 5m", "window: 3s"))
    for name in ("database", "api_server", "external_api", "order_execution", "risk_engine",
                 "market_data"):
        told(h, name, "healthy")
    m = h.component("database")["metrics"]
    size = float(tables("SELECT pg_database_size(current_database()) / 1048576.0")[0][0])
    assert m["rows_orders"] == 1234 and m["table_count"] == 3
    assert abs(m["database_size_mb"] - size) < 1 and m["connect_ms"] > 0 and m["query_ms"] > 0
    tables("CREATE TABLE more (id int)")
    wait_for(lambda: h.component("database")["metrics"]["table_count"] == 4, "one more table")

    # The API: one endpoint of two, all, and its port.
    api.codes["/health"] = 500
    c = wait_for(lambda: (lambda c: c if c["metrics"].get("availability_percent") == 50 else None)(
        h.component("api_server")), "half of it")
    assert c["status"] == "critical" and c["metrics"]["port_open"] == 1
    assert c["metrics"]["success_rate_percent"] < 95 and c["details"]["failed"] == "health"
    api.codes["/api/health"] = 503
    wait_for(lambda: h.component("api_server")["metrics"]["availability_percent"] == 0, "none")
    told(h, "api_server", "critical")
    api.codes.clear()
    told(h, "api_server", "healthy")

    # The external API: its limit at 79, 80 and 95 percent, and its login.
    for left, status in ((21, "healthy"), (20, "degraded"), (5, "critical"), (50, "healthy")):
        api.headers["/external"] = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": str(left)}
        c = wait_for(lambda: (lambda c: c if c["metrics"].get("rate_limit_used_percent") ==
                              100 - left else None)(h.component("external_api")), f"{left} left")
        assert c["status"] == status, c
    assert all(r["headers"]["X-Api-Key"] == "key-31" for r in sink.requests
               if r["path"] == "/external")
    api.codes["/external"] = 401
    c = told(h, "external_api", "critical", reason="http_auth")
    assert c["metrics"]["auth_ok"] == 0
    api.codes["/risk"] = 500
    told(h, "risk_engine", "critical")
    told(h, "order_execution", "healthy")
    tables("UPDATE quotes SET updated_at = now() - interval '42 seconds'")
    told(h, "market_data", "degraded", reason="aging")
    tables("UPDATE quotes SET updated_at = now() - interval '70 seconds'")
    told(h, "market_data", "critical", reason="stale")

    postgres.stop()
    told(h, "database", "down")
    told(h, "market_data", "down")
    sink.close()
    # What was connected is told first.
    c = wait_for(lambda: (lambda c: c if c["metrics"].get("port_open") == 0 else None)(
        h.component("api_server")), "the port is closed")
    assert c["status"] == "down" and c["metrics"]["availability_percent"] == 0
    for name in ("external_api", "order_execution", "risk_engine"):
        told(h, name, "down")


def test_what_is_slow_is_degraded_and_what_is_very_slow_critical(hale, sink, postgres, tables):
    """With its own times: a second and five, for the database two and five."""
    api, other = Api(sink), Sink()
    api.waits = {"/health": 1.2, "/orders": 1.2, "/external": 5.2}
    slow = Delay(postgres.port, 2.3)
    h = start(hale, api, postgres, is_quick=False,
              DATABASE_URL=postgres.dsn.replace(str(postgres.port), str(slow.port)))
    c = told(h, "api_server", "degraded")
    assert c["metrics"]["health_ms"] >= 1000 > c["metrics"]["api_health_ms"]
    told(h, "order_execution", "degraded")
    c = told(h, "database", "degraded")
    assert c["metrics"]["connect_ms"] >= 2000
    c = told(h, "external_api", "critical")
    assert c["took_ms"] >= 5000
    other.close()
    slow.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own takes root")
def test_system_resources_have_two_limits(hale, sink, postgres, tables, tmp_path):
    machine = Machine(str(tmp_path))
    try:
        h = start(hale, Api(sink), postgres, change=machine.into)
        bands_of(h, machine, "system_resources", 80, 90)
        machine.put("loadavg", "1.0 0.5 0.4 1/100 1\n")
        told(h, "system_resources", "degraded", "load_per_core 1 >= 1")
        machine.put("loadavg", "2.0 0.5 0.4 1/100 1\n")
        told(h, "system_resources", "critical", "load_per_core 2 >= 2")
        h.stop()
    finally:
        machine.close()


def test_what_has_no_address_is_not_configured(hale):
    h = preset(hale("components: {}\n", start=False), "trading-engine", API_URL="http://127.0.0.1:1")
    for name in ("database", "external_api", "market_data", "order_execution", "risk_engine"):
        c = h.component(name)
        assert (c["status"], c["reason"]) == ("unknown", "not_configured")
