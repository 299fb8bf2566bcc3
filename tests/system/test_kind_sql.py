# SPDX-License-Identifier: Apache-2.0
"""The kind sql against a real PostgreSQL and SQLite: freshness, activity, figures, TLS, roles."""
import json
import os
import shutil
import socket
import sqlite3
import threading

import pytest

from conftest import Postgres, wait_for
from servers import certificate

TIMES = "interval: 1s, timeout: 900ms"


def wait_is(h, name, status, reason, message=""):
    def reached():
        c = h.component(name)
        return c if (c["status"], c["reason"]) == (status, reason) and message in c["message"] \
            else None
    return wait_for(reached, f"{name} {status} {reason} {message}")


@pytest.fixture
def schema(postgres):
    """Tables of a test, in a schema that goes with it."""
    postgres.sql("DROP SCHEMA IF EXISTS trade CASCADE; CREATE SCHEMA trade")
    yield postgres
    postgres.sql("DROP SCHEMA IF EXISTS trade CASCADE")


def test_freshness_has_the_bands_of_its_source(hale, schema):
    """S1: FRESH below 30 s, WARNING to 60 s, STALE after; an error is shown as stale."""
    schema.sql("CREATE TABLE trade.legs (id text, at timestamptz); INSERT INTO trade.legs VALUES"
               " ('fresh', now()), ('aging', now() - interval '40 s'),"
               " ('stale', now() - interval '300 s')")
    text = "components:\n"
    for name in ("fresh", "aging", "stale"):
        text += (f"  {name}: {{sql: {{postgres: {{dsn: '{schema.dsn}'}}, freshness: {{positions:"
                 f" {{table: trade.legs, column: at, where: id = '{name}'}}}}}}, {TIMES}}}\n")
    text += (f"  all: {{sql: {{postgres: {{dsn: '{schema.dsn}'}}, freshness: {{"
             "positions: {table: trade.legs, column: at, where: id = 'fresh'},"
             "greeks: {table: trade.snapshots, column: at},"
             "alerts: {query: SELECT min(at) FROM trade.legs, bands: false}}},"
             f" {TIMES}, on_error: degraded}}\n")
    h = hale(text)
    c = wait_is(h, "fresh", "healthy", "ok", "1 source, oldest positions: ")
    assert c["details"]["positions_band"] == "FRESH"
    assert 0 <= c["metrics"]["positions_age_seconds"] < 30
    c = wait_is(h, "aging", "degraded", "aging", "positions: ")
    assert c["details"]["positions_band"] == "WARNING"
    assert 40 <= c["metrics"]["positions_age_seconds"] <= 60
    c = wait_is(h, "stale", "critical", "stale", "(STALE after 1m)")
    assert c["details"]["positions_band"] == "STALE"
    # One source cannot be asked: it is stale with a note, the others have their ages.
    c = wait_is(h, "all", "degraded", "sql_error", "greeks: ")
    assert c["details"]["greeks_band"] == "STALE" and "snapshots" in c["details"]["greeks_error"]
    assert c["details"]["positions_band"] == "FRESH" and "alerts_band" not in c["details"]
    assert c["metrics"]["alerts_age_seconds"] >= 300
    # A newer row, and it follows.
    schema.sql("INSERT INTO trade.legs VALUES ('stale', now())")
    wait_is(h, "stale", "healthy", "ok")
    schema.sql("CREATE TABLE trade.snapshots AS SELECT now() AS at")
    wait_is(h, "all", "healthy", "ok", "3 sources, oldest alerts: ")


def test_activity_says_what_its_source_says(hale, schema):
    """S3: <n> triggers/1h, <m> orders/24h; always healthy, unless the query fails."""
    schema.sql("CREATE TABLE trade.triggers (created_at timestamp);"
               "CREATE TABLE trade.orders (created_at timestamptz)")
    h = hale(f"""components:
  trading_activity:
    sql:
      postgres: {{dsn: '{schema.dsn}'}}
      activity:
        triggers: {{table: trade.triggers, column: created_at, metric: triggers_last_hour}}
        orders: {{table: trade.orders, column: created_at, window: 1d, metric: orders_last_day}}
    messages: {{pass: "{{triggers_last_hour}} triggers/1h, {{orders_last_day}} orders/24h"}}
    {TIMES.replace(", ", chr(10) + "    ")}
""")
    wait_is(h, "trading_activity", "healthy", "ok", "0 triggers/1h, 0 orders/24h")
    schema.sql("INSERT INTO trade.triggers SELECT now() AT TIME ZONE 'UTC' - m * interval '1 min'"
               " FROM unnest(ARRAY[1, 58, 61]) m; INSERT INTO trade.orders"
               " SELECT now() - h * interval '1 hour' FROM unnest(ARRAY[1, 2, 23, 25]) h")
    wait_is(h, "trading_activity", "healthy", "ok", "2 triggers/1h, 3 orders/24h")
    schema.sql("ALTER TABLE trade.orders RENAME TO commands")
    c = wait_is(h, "trading_activity", "critical", "sql_error")
    assert "trade.orders" in c["message"] and c["metrics"]["triggers_last_hour"] == 2


class SlowRelay:
    """Hands bytes through to a port, each piece after `delay` seconds."""

    def __init__(self, port, delay):
        self.target, self.delay = port, delay
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.socket.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.pipe, args=(a, b), daemon=True).start()

    def pipe(self, a, b):
        try:
            while data := a.recv(65536):
                threading.Event().wait(self.delay)
                b.sendall(data)
            b.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def test_figures_by_a_role_that_may_only_read(hale, schema):
    """S2: connection time, size, tables, rows; S3-77: no right to write is needed."""
    schema.sql("CREATE TABLE trade.positions (id int); INSERT INTO trade.positions"
               " SELECT generate_series(1, 1234); DROP ROLE IF EXISTS reader;"
               "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA trade TO reader;"
               "GRANT SELECT ON ALL TABLES IN SCHEMA trade TO reader")
    relay = SlowRelay(schema.port, 0.08)
    dsn = schema.dsn.replace("user=hale", "user=reader")
    more = "stats: [size, tables, connections, transactions, replication], row_counts: '*'"
    h = hale(f"""components:
  direct: {{sql: {{postgres: {{dsn: '{dsn}'}}, {more}}}, {TIMES}}}
  relayed: {{sql: {{postgres: {{dsn: '{dsn.replace(str(schema.port), str(relay.port))}'}}}},
    interval: 5s, timeout: 4s}}
  writes: {{sql: {{postgres: {{dsn: '{dsn}'}}, query: DELETE FROM trade.positions}}, {TIMES}}}
""")
    m = wait_is(h, "direct", "healthy", "ok")["metrics"]
    size = int(schema.sql("SELECT pg_database_size('postgres')")[0][0])
    assert abs(m["database_size_bytes"] - size) < 1 << 20
    assert abs(m["database_size_mb"] - m["database_size_bytes"] / (1 << 20)) < 0.001
    assert m["rows_trade_positions"] == 1234
    assert 1 <= m["connections"] <= m["connections_max"] == 100
    assert m["is_replica"] == 0 and m["longest_transaction_seconds"] >= 0
    tables = m["table_count"]
    m = wait_is(h, "relayed", "healthy", "ok")["metrics"]
    assert m["connect_ms"] >= 160 and m["query_ms"] >= 160
    wait_is(h, "writes", "critical", "sql_error")
    schema.sql("CREATE TABLE trade.fills (id int)")
    wait_for(lambda: h.component("direct")["metrics"]["table_count"] == tables + 1, "a table more")
    assert schema.sql("SELECT count(*) FROM trade.positions") == [["1234"]]
    relay.close()


def test_hale_check_shows_statements_and_rows(hale, schema):
    schema.sql("CREATE TABLE trade.legs AS SELECT now() AS at")
    h = hale(f"""components:
  db:
    sql: {{postgres: {{dsn: '{schema.dsn} password=hush-hush'}}, query: SELECT 7 AS seven,
      freshness: {{legs: {{table: trade.legs, column: at}}}}}}
    interval: 1h
""")
    wait_for(lambda: h.component("db")["last_check"], "checked")
    r = h.cli("check", "db")
    assert "SELECT 7 AS seven" in r.stdout and 'max("legs"."at")' in r.stdout, r.stdout
    r = h.cli("-o", "json", "check", "db")
    assert r.returncode == 0 and "hush-hush" not in r.stdout + r.stderr
    saw = json.loads(r.stdout)["saw"]["statement"]
    assert saw[0]["sql"] == "SELECT 7 AS seven" and saw[0]["first"] == [{"seven": 7}]
    assert 'max("legs"."at")' in saw[1]["sql"] and saw[1]["rows"] == 1


def test_a_deadline_cancels_at_the_server(hale, schema):
    h = hale(f"""components:
  slow: {{sql: {{postgres: {{dsn: '{schema.dsn}'}}, query: SELECT pg_sleep(77)}}, interval: 1h,
    timeout: 1s}}
""")
    running = ("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(77)'"
               " AND state = 'active'")
    wait_for(lambda: schema.sql(running) == [["1"]], "the statement runs")
    wait_is(h, "slow", "down", "timeout_read")
    wait_for(lambda: schema.sql(running) == [["0"]], "the statement is cancelled")


def test_what_is_empty_is_not_configured_and_what_is_relative_is_refused(hale):
    h = hale("components:\n  db: {sql: {postgres: {dsn: '${NO_SUCH_DSN:-}'}}}\n"
             "  other: {'null': {}, interval: 1s}\n")
    wait_is(h, "db", "unknown", "not_configured")
    h.write("components:\n  db: {sql: {sqlite: {path: shop.db}}}\n")
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0 and "must be an absolute path" in r.stdout + r.stderr


def test_sqlite_has_ages_and_figures_too(hale):
    h = hale(f"""components:
  db:
    sql:
      sqlite: {{path: '@DIR@/shop.db'}}
      queries: {{open: "SELECT count(*) FROM orders WHERE state = 'open'"}}
      freshness: {{orders: {{table: orders, column: at}}}}
      activity: {{orders: {{table: orders, column: at, column_type: epoch}}}}
      stats: [size, tables]
      row_counts: orders
    {TIMES.replace(", ", chr(10) + "    ")}
""", start=False)
    db = sqlite3.connect(f"{h.dir}/shop.db")
    db.execute("CREATE TABLE orders (at INTEGER, state TEXT)")
    db.execute("INSERT INTO orders VALUES (unixepoch() - 7200, 'open'), (unixepoch(), 'done')"
               if sqlite3.sqlite_version_info >= (3, 38) else
               "INSERT INTO orders VALUES (strftime('%s', 'now') - 7200, 'open'),"
               " (strftime('%s', 'now') + 0, 'done')")
    db.commit()
    h.start()
    m = wait_is(h, "db", "healthy", "ok")["metrics"]
    assert m["open"] == 1 and m["orders_last_1h"] == 1 and m["rows_orders"] == 2
    assert m["table_count"] == 1 and m["orders_age_seconds"] < 30
    assert m["database_size_bytes"] == os.path.getsize(f"{h.dir}/shop.db")
    db.execute("ALTER TABLE orders RENAME TO sales")
    db.commit()
    db.close()
    wait_is(h, "db", "critical", "sql_error", "more)")


def test_tls_with_a_certificate_of_ones_own(hale):
    """The file is an option of its own: a confined checker could not read it otherwise."""
    p = Postgres()
    try:
        cert, key = certificate(p.dir)
        if p.as_user:
            os.chown(key, p.as_user["user"], p.as_user["group"])
        os.chmod(key, 0o600)
        p.sql(f"ALTER SYSTEM SET ssl_cert_file = '{cert}'")
        p.sql(f"ALTER SYSTEM SET ssl_key_file = '{key}'")
        p.sql("ALTER SYSTEM SET ssl = on")
        p.stop()
        p.start()
        secure = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        h = hale(f"""components:
  trusted: {{sql: {{postgres: {{dsn: '{p.dsn}', ca: '@DIR@/ca.pem'}}, query: {secure}, expect: t}},
    {TIMES}}}
  stranger: {{sql: {{postgres: {{dsn: '{p.dsn} sslmode=verify-full', ca: '@DIR@/other.pem'}}}},
    {TIMES}}}
""", start=False)
        shutil.copy(cert, f"{h.dir}/ca.pem")
        certificate(h.dir, "other")
        h.start()
        wait_is(h, "trusted", "healthy", "ok")
        wait_is(h, "stranger", "critical", "tls_cert")
    finally:
        p.close()
