# SPDX-License-Identifier: Apache-2.0
"""etc/presets/broker-sync.yaml against a broker and a PostgreSQL: in the words and with the numbers
of the system it comes from."""
import datetime
import json
import re
import threading
import time

import pytest

from conftest import free_port, wait_for
from presets import Delay, empty_database, preset, told


@pytest.fixture
def tables(postgres):
    with empty_database(postgres) as sql:
        yield sql


SCHEMA = """
CREATE TABLE positions (symbol text, quantity numeric, status text DEFAULT 'open');
CREATE TABLE cron_logs (job_name text, executed_at timestamptz);
"""
JOB = "trailing_stop_reassessment"


class Broker:
    """What stands behind the proxy: positions and health, as the test wants them."""

    def __init__(self, sink):
        self.positions = [{"symbol": "AAPL", "position": 10}, {"symbol": "MSFT", "position": 5}]
        self.health, self.wait, self.is_broken = 200, 0, False
        self.url = sink.url
        sink.answer = self.answer

    def answer(self, path, n):
        if path == "/health":
            return self.health, b'{"status": "ok"}'
        threading.Event().wait(self.wait)
        if self.is_broken:
            return 500, b"gateway gone"
        return 200, json.dumps({"positions": self.positions}).encode()


def aged(minutes):
    return f"now() - interval '{minutes} minutes'"


def ran(tables, minutes):
    tables(f"DELETE FROM cron_logs; INSERT INTO cron_logs VALUES ('{JOB}', {aged(minutes)}), "
           f"('another', now())")


def always_open(text):
    """The exchange is open whenever this test runs."""
    return re.sub(r"^ +active_window: .*\n", "", text, flags=re.M)


def test_broker_sync(hale, sink, postgres, tables):
    tables(SCHEMA + "INSERT INTO positions VALUES ('AAPL', 10), ('MSFT', 5), ('OLD', 1);"
                    "UPDATE positions SET status = 'closed' WHERE symbol = 'OLD'")
    ran(tables, 34)
    broker = Broker(sink)
    h = preset(hale("components: {}\n", start=False), "broker-sync", change=always_open,
               IB_PROXY_URL=broker.url, DATABASE_URL=postgres.dsn)
    told(h, "ib_gateway", "healthy", "Connected")
    told(h, "ib_proxy", "healthy", "")
    told(h, "database", "healthy", "")
    c = told(h, "position_sync", "healthy", "In sync")
    assert c["details"]["ib_count"] == 2 and c["details"]["db_count"] == 2
    c = told(h, "cron_jobs", "healthy", "Running")
    assert abs(datetime.datetime.fromisoformat(c["details"]["last_run"].replace("Z", "+00:00"))
               .timestamp() - (time.time() - 34 * 60)) < 60

    # Positions: more at the broker; the same number of others; zero is none; short is not ours.
    broker.positions.append({"symbol": "TSLA", "position": 1})
    told(h, "position_sync", "degraded", "Mismatch: IB=3, DB=2")
    broker.positions = [{"symbol": "AAPL", "position": 10}, {"symbol": "TSLA", "position": 5}]
    c = wait_for(lambda: (lambda c: c if "TSLA" in str(c["details"]) and "MSFT" in str(
        c["details"]) and c["details"]["ib_count"] == 2 else None)(h.component("position_sync")),
        "both symbols are named")
    assert c["status"] == "degraded" and c["message"].startswith("Mismatch: IB=2, DB=2")
    broker.positions = [{"symbol": "AAPL", "position": 10}, {"symbol": "MSFT", "position": 5},
                        {"symbol": "GONE", "position": 0}, {"symbol": "SHRT", "position": -3}]
    c = told(h, "position_sync", "healthy", "In sync")
    assert c["metrics"]["skipped"] == 1

    # Jobs: 36 minutes, 119, 121, none at all, and no table.
    for minutes in (36, 119):
        ran(tables, minutes)
        c = told(h, "cron_jobs", "degraded", "Missed last run")
        assert c["details"]["last_run"]
    ran(tables, 121)
    told(h, "cron_jobs", "critical", "Multiple runs missed")
    tables("DELETE FROM cron_logs")
    told(h, "cron_jobs", "critical", "Multiple runs missed")
    tables("ALTER TABLE cron_logs RENAME TO cron_logs_away")
    c = told(h, "cron_jobs", "degraded", "Unable to check")
    assert "cron_logs" in c["details"]["error"]

    # The proxy, the gateway behind it, and what stands on them.
    broker.health = 503
    c = told(h, "ib_proxy", "critical", "Unhealthy response")
    assert "503" in c["details"]["error"]
    broker.is_broken = True
    c = told(h, "ib_gateway", "critical", "Disconnected")
    assert "HTTP 500" in c["details"]["error"]
    c = told(h, "position_sync", "degraded", "Unable to check")
    assert c["details"]["error"]
    told(h, "database", "healthy", "")

    postgres.stop()
    c = told(h, "database", "down", "Unreachable")
    assert c["details"]["error"]
    told(h, "cron_jobs", "degraded", "Unable to check")
    told(h, "position_sync", "degraded", "Unable to check")
    postgres.start()
    told(h, "database", "healthy", "")
    sink.close()
    c = told(h, "ib_proxy", "down", "Not reachable")
    assert c["details"]["error"]
    told(h, "ib_gateway", "down", "Disconnected")


def test_broker_sync_says_what_is_slow(hale, sink, postgres, tables):
    """With its own times: more than 10 s for the positions, more than 2 for the database."""
    tables(SCHEMA)
    broker = Broker(sink)
    broker.wait = 10.2
    slow = Delay(postgres.port, 2.2)
    h = preset(hale("components: {}\n", start=False), "broker-sync", is_quick=False,
               IB_PROXY_URL=broker.url,
               DATABASE_URL=postgres.dsn.replace(str(postgres.port), str(slow.port)))
    c = told(h, "database", "degraded", "Slow")
    assert c["took_ms"] > 2000 and c["reason"] == "threshold"
    c = told(h, "ib_gateway", "degraded", "Slow response")
    assert 10000 < c["took_ms"] < 15000 and "10000" in c["details"]["threshold"]
    slow.close()


def test_broker_sync_knows_when_the_exchange_is_closed(hale, postgres, tables):
    """A last run of three days ago, and the window opens tomorrow."""
    tables(SCHEMA)
    ran(tables, 3 * 24 * 60)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    tomorrow = days[(datetime.datetime.now(datetime.timezone.utc).weekday() + 2) % 7]
    h = preset(hale("components: {}\n", start=False), "broker-sync", DATABASE_URL=postgres.dsn,
               IB_PROXY_URL=f"http://127.0.0.1:{free_port()}",
               change=lambda text: text.replace("mon-fri 09:30-16:00", f"{tomorrow} 09:30-16:00"))
    c = told(h, "cron_jobs", "healthy", reason="outside_schedule")
    assert "Outside schedule" in c["message"]
