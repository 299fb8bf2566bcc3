# SPDX-License-Identifier: Apache-2.0
"""The kind compare: positions of a broker (HTTP) against a table, files against each other."""
import json
import os

from conftest import wait_for


def wait_is(h, name, status, reason, message):
    def reached():
        c = h.component(name)
        return c if (c["status"], c["reason"], c["message"]) == (status, reason, message) else None
    return wait_for(reached, f"{name} {status} {reason} {message}")


POSITIONS = """components:
  position_sync:
    label: Position Sync
    compare:
      names: {a: IB, b: DB}
      a:
        http: {url: '%(url)s/positions', jq: .positions}
        rename: {symbol: contract, quantity: position}
      b:
        sql:
          postgres: {dsn: '%(dsn)s'}
          query: SELECT symbol, quantity FROM compare_positions WHERE status = 'open'
      key: symbol
      columns: {quantity: exact}
      quantity: quantity
    interval: 1s
    timeout: 900ms
    on_error: degraded
  counted:
    compare:
      names: {a: IB, b: DB}
      a: {http: {url: '%(url)s/positions', jq: .positions | length}}
      b:
        sql:
          postgres: {dsn: '%(dsn)s'}
          query: SELECT COUNT(*) FROM compare_positions WHERE status = 'open'
    interval: 1s
    timeout: 900ms
    on_error: degraded
"""


class Broker:
    """What the sink answers as positions."""

    def __init__(self, sink):
        self.positions = []
        sink.answer = self.answer

    def answer(self, path, n):
        return 200, json.dumps({"positions": [{"contract": s, "position": q}
                                              for s, q in self.positions]}).encode()


def test_position_sync_as_its_source_has_it(hale, sink, postgres):
    """S0: In sync, Mismatch: IB=3, DB=2, Unable to check; C-31: by symbol, not only by number."""
    broker = Broker(sink)
    postgres.sql("DROP TABLE IF EXISTS compare_positions")
    postgres.sql("CREATE TABLE compare_positions (symbol text, quantity numeric, status text)")
    postgres.sql("INSERT INTO compare_positions VALUES ('AAPL', 10.00, 'open'),"
                 " ('MSFT', 2.5, 'open'), ('IBM', 1, 'closed')")
    broker.positions = [("AAPL", 10), ("MSFT", 2.5)]
    h = hale(POSITIONS % {"url": sink.url, "dsn": postgres.dsn})
    c = wait_is(h, "position_sync", "healthy", "ok", "In sync")
    assert c["details"]["ib_count"] == 2 and c["details"]["db_count"] == 2
    wait_is(h, "counted", "healthy", "ok", "In sync")
    # One more at the broker.
    broker.positions.append(("TSLA", 1))
    for name in ("position_sync", "counted"):
        c = wait_is(h, name, "degraded", "different", "Mismatch: IB=3, DB=2")
        assert c["details"]["ib_count"] == 3 and c["details"]["db_count"] == 2
    assert h.component("position_sync")["details"]["missing_in_db"] == ["TSLA"]
    # As many, but others: numbers alone do not see it.
    broker.positions = [("AAPL", 10), ("TSLA", 2.5)]
    wait_is(h, "counted", "healthy", "ok", "In sync")
    c = wait_is(h, "position_sync", "degraded", "different",
                "Mismatch: IB=2, DB=2; missing in IB: MSFT; missing in DB: TSLA")
    assert c["details"]["missing_in_ib"] == ["MSFT"] and c["metrics"]["missing_in_b"] == 1
    # A flat row and a short one are no mismatch.
    broker.positions = [("AAPL", 10), ("MSFT", 2.5), ("NVDA", 0), ("GME", -3)]
    c = wait_is(h, "position_sync", "healthy", "ok", "In sync")
    assert c["metrics"]["skipped"] == 1 and c["metrics"]["absent"] == 1
    # Another quantity is.
    broker.positions = [("AAPL", 10), ("MSFT", 3)]
    c = wait_is(h, "position_sync", "degraded", "different",
                "Mismatch: IB=2, DB=2; different: MSFT")
    assert c["details"]["differences"] == [
        {"key": "MSFT", "column": "quantity", "ib": "3", "db": "2.5"}]
    # Either side gone: degraded, never critical.
    broker.positions = [("AAPL", 10), ("MSFT", 2.5)]
    wait_is(h, "position_sync", "healthy", "ok", "In sync")
    postgres.sql("ALTER TABLE compare_positions RENAME TO compare_hidden")
    c = wait_is(h, "position_sync", "degraded", "source_failed", "Unable to check")
    assert c["details"]["error"].startswith("DB: ")
    postgres.sql("ALTER TABLE compare_hidden RENAME TO compare_positions")
    wait_is(h, "position_sync", "healthy", "ok", "In sync")
    sink.close()
    c = wait_is(h, "position_sync", "degraded", "source_failed", "Unable to check")
    assert c["details"]["error"].startswith("IB: ")


def test_a_source_that_hangs_is_an_error_by_the_deadline(hale, black_hole, postgres):
    h = hale(f"""components:
  hangs:
    compare:
      a: {{http: {{url: 'http://127.0.0.1:{black_hole.port}/'}}}}
      b: {{sql: {{postgres: {{dsn: '{postgres.dsn}'}}, query: SELECT pg_sleep(78)}}}}
    interval: 2s
    timeout: 1s
""")
    c = wait_is(h, "hangs", "unknown", "source_failed", "Unable to check")
    assert "A: " in c["details"]["error"] and "B: " in c["details"]["error"]
    h.cli("stop", "check.compare", check=True)
    wait_for(lambda: postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                                  " AND query = 'SELECT pg_sleep(78)'") == [["0"]],
             "no query left on the server")


def test_an_empty_target_is_not_configured(hale):
    h = hale("""components:
  sync:
    compare:
      a: {http: {url: 'http://127.0.0.1:1/'}}
      b: {sql: {postgres: {dsn: '${NO_SUCH_DSN:-}'}, query: SELECT 1}}
    interval: 1s
    timeout: 900ms
""")
    wait_is(h, "sync", "unknown", "not_configured", "Not configured")


def replace(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def test_files_that_are_replaced_and_what_hale_check_shows(hale):
    h = hale("""components:
  exported:
    compare:
      names: {a: Ledger, b: Export}
      a: {file: {path: '@DIR@/a.csv'}}
      b: {file: {path: '@DIR@/b.json', jq: .rows}}
      key: [day, account]
      columns: {amount: 0.01, at: exact}
      severity: fail
    interval: 1s
    timeout: 900ms
""", start=False)
    replace(f"{h.dir}/a.csv", 'account,day,amount,at\n"a,1",2026-11-20,100.004,'
                              '2026-11-20T08:00:00Z\nb,2026-11-20,5,\n')
    rows = [{"day": "2026-11-20", "account": "a,1", "amount": 100, "at": "2026-11-20 09:00:00+01"},
            {"day": "2026-11-20", "account": "b", "amount": 5.0, "at": None}]
    replace(f"{h.dir}/b.json", json.dumps({"rows": rows}))
    h.start()
    wait_is(h, "exported", "healthy", "ok", "In sync")
    r = h.cli("check", "exported")
    assert r.returncode == 0 and "In sync" in r.stdout and "Ledger" in r.stdout
    saw = json.loads(h.cli("-o", "json", "check", "exported").stdout)["saw"]
    assert saw["Export"]["first"] == rows and saw["Ledger"]["rows"] == 2
    rows[1]["amount"] = 5.02
    replace(f"{h.dir}/b.json", json.dumps({"rows": rows}))
    c = wait_is(h, "exported", "critical", "different",
                "Mismatch: Ledger=2, Export=2; different: 2026-11-20/b")
    assert c["details"]["differences"][0]["column"] == "amount"
    replace(f"{h.dir}/b.json", json.dumps({"rows": rows})[:-5])
    wait_is(h, "exported", "unknown", "source_failed", "Unable to check")
