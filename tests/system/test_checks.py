# SPDX-License-Identifier: Apache-2.0
"""Each kind of check against real targets: what is seen, and what is said when it is wrong."""
import datetime
import json
import os
import signal
import sqlite3
import stat
import threading
import time

from conftest import DEADLINE, is_alive, wait_for


def components(**kinds):
    """YAML of components: name = "kind: {…}, further: options"."""
    lines = ["components:"]
    for name, text in kinds.items():
        extra = "" if "interval:" in text else ", interval: 1s, timeout: 800ms"
        lines.append(f"  {name}: {{{text}{extra}}}")
    return "\n".join(lines) + "\n"


def settled(h, name):
    """The component once it has been checked."""
    return wait_for(lambda: (lambda c: c if c["last_check"] else None)(h.component(name)),
                    f"{name} checked")


def assert_is(h, name, status, reason, message=""):
    """Waits for the status as a check tells it (unknown is also what was never checked)."""
    def reached():
        c = settled(h, name)
        return c if c["status"] == status and c["reason"] != "no_data" else None
    c = wait_for(reached, f"{name} {status}")
    assert c["reason"] == reason, c
    assert message in c["message"], c
    return c


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# ---- http ----

def test_http_against_nginx(hale, nginx):
    u = nginx.url
    h = hale(components(
        ok=f"http: {{url: '{u}/ok.json', expect: {{status: 200, body: AAPL, regex: '\"ok\"$|ok', "
           f"jq: '.status == \"ok\"'}}, metrics: {{positions: '.positions|length'}}}}",
        fail=f"http: {{url: '{u}/fail'}}",
        expected=f"http: {{url: '{u}/fail', expect: {{status: [2xx, 500]}}}}",
        private=f"http: {{url: '{u}/private'}}",
        limited=f"http: {{url: '{u}/limited'}}",
        missing=f"http: {{url: '{u}/nowhere.json'}}",
        moved=f"http: {{url: '{u}/moved', expect: {{jq: '.status == \"ok\"'}}}}",
        stays=f"http: {{url: '{u}/moved', follow_redirects: false}}",
        mismatch=f"http: {{url: '{u}/ok.json', expect: {{jq: '.positions|length > 5'}}}}",
        words=f"http: {{url: '{u}/ok.json', expect: {{body: bonanza}}}}",
        text=f"http: {{url: '{u}/page.txt', expect: {{jq: '.status'}}}}",
        number=f"http: {{url: '{u}/ok.json', metrics: {{n: '.status'}}}}",
        broken=f"http: {{url: '{u}/ok.json', expect: {{jq: '.status|keys'}}}}"), start=False)
    with open(f"{nginx.root}/page.txt", "w") as f:
        f.write("<h1>maintenance</h1>")
    h.start()
    ok = assert_is(h, "ok", "healthy", "ok", "HTTP 200")
    assert ok["metrics"]["positions"] == 2 and ok["metrics"]["status_code"] == 200
    assert ok["metrics"]["body_bytes"] == os.path.getsize(f"{nginx.root}/ok.json")
    assert ok["took_ms"] > 0 and ok["details"]["ip"] == "127.0.0.1"
    assert_is(h, "fail", "critical", "http_status", "HTTP 500, expected 2xx")
    assert_is(h, "expected", "healthy", "ok")
    assert_is(h, "private", "critical", "http_auth", "HTTP 401")
    assert_is(h, "limited", "critical", "http_rate_limited", "HTTP 429")
    assert_is(h, "missing", "critical", "http_status", "HTTP 404")
    assert_is(h, "moved", "healthy", "ok")
    assert_is(h, "stays", "critical", "http_status", "HTTP 302")
    assert_is(h, "mismatch", "critical", "body_mismatch", "gave false")
    assert_is(h, "words", "critical", "body_mismatch", "does not contain 'bonanza'")
    assert_is(h, "text", "critical", "body_not_json", "<h1>maintenance</h1>")
    # That an expression cannot be computed says nothing about the target.
    assert_is(h, "number", "unknown", "expression_error", "expected a number")
    assert_is(h, "broken", "unknown", "expression_error")
    # It follows what the target does.
    with open(f"{nginx.root}/new", "w") as f:
        f.write('{"status":"halted","positions":[]}')
    os.rename(f"{nginx.root}/new", f"{nginx.root}/ok.json")
    c = assert_is(h, "ok", "critical", "body_mismatch")
    assert c["metrics"]["positions"] == 0 and c["consecutive_failures"] >= 1
    nginx.stop()
    c = assert_is(h, "ok", "down", "conn_refused")
    assert when(c["last_success"]) < when(c["last_check"])
    nginx.start()
    with open(f"{nginx.root}/new", "w") as f:
        f.write('{"status":"ok","positions":["AAPL"]}')
    os.rename(f"{nginx.root}/new", f"{nginx.root}/ok.json")
    c = assert_is(h, "ok", "healthy", "ok")
    assert c["consecutive_failures"] == 0 and c["metrics"]["positions"] == 1


def test_http_timeouts_name_the_stage(hale, black_hole):
    h = hale(components(
        silent=f"http: {{url: 'http://127.0.0.1:{black_hole.port}/'}}",
        tls=f"http: {{url: 'https://127.0.0.1:{black_hole.port}/'}}",
        refused="http: {url: 'http://127.0.0.1:1/'}",
        nowhere="http: {url: 'http://host.invalid/'}, interval: 20s, timeout: 15s"))
    assert_is(h, "silent", "down", "timeout_read", "(after 800ms)")
    assert_is(h, "tls", "down", "timeout_tls")
    assert_is(h, "refused", "down", "conn_refused")
    c = h.wait_status("nowhere", "down")
    assert c["reason"] in ("dns_failed", "timeout_dns"), c


def test_a_checker_that_was_stopped_blames_nobody_else(hale, sink):
    """An answer came while it was stopped, and asks for a second step; the deadline has passed."""
    held, asked, go = threading.Event(), threading.Event(), threading.Event()

    def answer(path, n):
        if held.is_set() and path == "/":
            asked.set()
            go.wait(DEADLINE)
            return 302, b"", {"Location": f"{sink.url}/next"}
        return 200, b"{}"
    sink.answer = answer
    h = hale(components(slow=f"http: {{url: '{sink.url}/', follow_redirects: true}}"))
    h.wait_status("slow", "healthy")
    pid = h.process_of("check.http")["pid"]
    held.set()
    assert asked.wait(DEADLINE)
    os.kill(pid, signal.SIGSTOP)
    held.clear()
    go.set()
    end = time.monotonic() + 1.5  # the timeout is 0.8 s; 3 s without data would be unknown
    wait_for(lambda: time.monotonic() > end, "its time is over")
    os.kill(pid, signal.SIGCONT)

    def outcomes():
        db = sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True, timeout=DEADLINE)
        try:
            return [r[0] for r in db.execute("SELECT outcome FROM v_results WHERE component = 'slow'"
                                             " ORDER BY at")]
        finally:
            db.close()
    wait_for(lambda: len(outcomes()) >= 4, "checks before, while and after are stored")
    assert set(outcomes()) == {"pass"}


def test_a_threshold_on_what_was_measured(hale, nginx):
    h = hale(f"""
components:
  few:
    http: {{url: '{nginx.url}/ok.json', metrics: {{positions: '.positions|length'}}}}
    interval: 1s
    timeout: 500ms
    thresholds: {{positions: {{degraded: '< 5', critical: '< 1'}}}}
""")
    c = assert_is(h, "few", "degraded", "threshold", "positions 2 < 5")
    assert c["outcome"] == "pass"


def test_hung_targets_delay_no_other(hale, nginx, black_hole):
    """40 of 100 components hang till their timeout; the other 60 keep their second."""
    lines = ["components:"]
    for i in range(100):
        url = f"http://127.0.0.1:{black_hole.port}/" if i % 5 < 2 else f"{nginx.url}/ok.json"
        lines.append(f"  c{i}: {{http: {{url: '{url}'}}, interval: 1s, timeout: 900ms}}")
    h = hale("\n".join(lines) + "\n")
    good = [f"c{i}" for i in range(100) if i % 5 >= 2]
    hung = [f"c{i}" for i in range(100) if i % 5 < 2]

    def all_judged():
        status = {c["id"]: c["status"] for c in h.status()["components"]}
        return all(status[c] == "healthy" for c in good) and all(
            status[c] == "down" for c in hung)
    wait_for(all_judged, "all judged")
    # The store has every check; look at ten seconds of them.
    db = f"file:{h.state_dir}/history.db?mode=ro"
    begun = wait_for(lambda: rows(db, "SELECT max(at) FROM v_results")[0][0], "stored")
    wait_for(lambda: rows(db, "SELECT max(at) FROM v_results")[0][0] > begun + 12000, "12 s later")
    per = {}
    for name, at, took in rows(db, "SELECT component, at, took_ms FROM v_results WHERE at > ? AND"
                               " at <= ? + 10000 ORDER BY at", begun, begun):
        per.setdefault(name, []).append(at - took)  # when it began
    for name in good:
        times = per[name]
        assert 9 <= len(times) <= 11, (name, len(times))
        gaps = [b - a for a, b in zip(times, times[1:])]
        # A slot is 100 ms; a delayed check would wait for a 900 ms timeout.
        assert max(gaps) < 1500 and min(gaps) > 500, (name, gaps)
    for name in hung:
        assert 9 <= len(per[name]) <= 11, (name, len(per[name]))


def rows(db, sql, *args):
    con = sqlite3.connect(db, uri=True, timeout=DEADLINE)
    try:
        return con.execute(sql, args).fetchall()
    finally:
        con.close()


# ---- tcp ----

def test_tcp(hale, nginx, black_hole):
    ask = "HEAD /ok.json HTTP/1.0\\r\\n\\r\\n"
    h = hale(components(
        open=f"tcp: {{address: '127.0.0.1:{nginx.port}'}}",
        talks=f"tcp: {{address: '127.0.0.1:{nginx.port}', send: \"{ask}\", expect: '200 OK'}}",
        other=f"tcp: {{address: '127.0.0.1:{nginx.port}', send: \"{ask}\", expect: '+PONG'}}",
        mute=f"tcp: {{address: '127.0.0.1:{black_hole.port}', expect: hello}}",
        accepts=f"tcp: {{address: '127.0.0.1:{black_hole.port}'}}",
        closed="tcp: {address: '127.0.0.1:1'}"))
    assert "connect_ms" in assert_is(h, "open", "healthy", "ok")["metrics"]
    assert "first_byte_ms" in assert_is(h, "talks", "healthy", "ok")["metrics"]
    assert_is(h, "other", "critical", "body_mismatch", "expected '+PONG', got: HTTP/1.1 200 OK")
    assert_is(h, "mute", "down", "timeout_read")
    assert_is(h, "accepts", "healthy", "ok")
    assert_is(h, "closed", "down", "conn_refused")


# ---- exec ----

def script(h, name, text):
    path = f"{h.dir}/{name}"
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, stat.S_IRWXU)
    return path


def test_exec_nagios_contract(hale):
    names = ("fine", "warns", "bad", "unsure", "odd", "killed", "silent", "chatty")
    h = hale(components(**{n: f"exec: {{command: [@DIR@/{n}, an arg]}}" for n in names},
                        missing="exec: {command: [@DIR@/nothing-here]}",
                        env="exec: {command: [@DIR@/env], environment: {WORD: swordfish},"
                            " directory: '@DIR@'}"), start=False)
    script(h, "fine", "echo \"OK - $1|'load one'=0.5;1;2 size=2KB;;;0;9 time=120us\"\n")
    script(h, "warns", "echo 'WARNING - getting full | use=85%'\nexit 1\n")
    script(h, "bad", "echo 'CRITICAL - gone'\necho 'second line'\nexit 2\n")
    script(h, "unsure", "echo 'UNKNOWN - no idea'\nexit 3\n")
    script(h, "odd", "echo odd\nexit 42\n")
    script(h, "killed", "kill -9 $$\n")
    script(h, "silent", "exit 2\n")
    script(h, "chatty", "echo first\nhead -c 300000 /dev/zero | tr '\\0' x\nexit 0\n")
    script(h, "env", "echo \"$WORD $PWD $(env | grep '^HALE_\\|^NOTIFY' | grep -vc ^HALE_CHECK=) "
           "$(ls /proc/self/fd | wc -l)\"\n")
    h.start()
    c = assert_is(h, "fine", "healthy", "ok", "OK - an arg")
    assert c["metrics"] == {"load_one": 0.5, "size_bytes": 2048, "time_ms": 0.12}
    assert c["details"]["thresholds"]["load_one"] == {"warning": "1", "critical": "2"}
    c = assert_is(h, "warns", "degraded", "exec_warning", "getting full")
    assert c["metrics"] == {"use_percent": 85}
    c = assert_is(h, "bad", "critical", "exec_critical", "gone")
    assert c["details"]["output"].strip() == "second line" and c["details"]["exit_code"] == 2
    assert_is(h, "unsure", "unknown", "exec_unknown", "no idea")
    assert_is(h, "odd", "unknown", "exec_unknown", "exit code 42: odd")
    assert_is(h, "killed", "unknown", "exec_signal", "SIGKILL")
    assert_is(h, "silent", "critical", "exec_critical")
    c = assert_is(h, "chatty", "healthy", "ok", "first")
    assert len(c["details"]["output"]) <= 4096
    assert_is(h, "missing", "unknown", "exec_failed", "nothing-here")
    # Nothing of hale's environment but the mark of the run; no descriptors but 0, 1, 2, and the
    # folder that ls itself opens.
    assert_is(h, "env", "healthy", "ok", f"swordfish {h.dir} 0 4")


def test_exec_that_hangs_is_killed_with_all_its_children(hale):
    h = hale(components(hang="exec: {command: [@DIR@/hang]}, interval: 1s, timeout: 300ms",
                        quick="exec: {command: [@DIR@/quick]}"), start=False)
    script(h, "hang", f"sleep 1000 &\necho $! >> {h.dir}/pids\necho $$ >> {h.dir}/pids\n"
           "trap '' TERM\nwait\nsleep 1000\n")
    # One that ends in time but leaves something running.
    script(h, "quick", f"sleep 1000 &\necho $! >> {h.dir}/pids\necho done\n")
    h.start()
    assert_is(h, "hang", "down", "timeout", "(after 300ms)")
    assert_is(h, "quick", "healthy", "ok", "done")
    wait_for(lambda: len(pids(h)) >= 8, "several runs")
    h.cli("stop", "check.exec", check=True)
    wait_for(lambda: h.process_of("check.exec")["state"] == "stopped", "stopped")
    wait_for(lambda: not [p for p in pids(h) if is_alive(p)], "nothing left", 10)


def pids(h):
    with open(f"{h.dir}/pids") as f:
        return [int(line) for line in f.read().split()]


# ---- sql ----

def test_sql_on_sqlite(hale):
    h = hale(components(
        count="sql: {sqlite: {path: '@DIR@/shop.db'}, query: 'SELECT count(*), max(price) AS"
              " price_eur, name FROM goods'}",
        equal="sql: {sqlite: {path: '@DIR@/shop.db'}, query: SELECT name FROM goods, expect: tea}",
        empty="sql: {sqlite: {path: '@DIR@/shop.db'}, query: SELECT 1 FROM goods WHERE 0,"
              " expect_rows: 1}",
        bad="sql: {sqlite: {path: '@DIR@/shop.db'}, query: SELECT a FROM nowhere}",
        writes="sql: {sqlite: {path: '@DIR@/shop.db'}, query: DELETE FROM goods}",
        slow="sql: {sqlite: {path: '@DIR@/shop.db'}, query: 'WITH RECURSIVE n(i) AS (SELECT 1"
             " UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n'}",
        missing="sql: {sqlite: {path: '@DIR@/none.db'}}",
        column="sql: {sqlite: {path: '@DIR@/shop.db'}, query: SELECT name FROM goods,"
               " metrics: [weight]}"), start=False)
    db = sqlite3.connect(f"{h.dir}/shop.db")
    db.execute("CREATE TABLE goods (name TEXT, price REAL)")
    db.execute("INSERT INTO goods VALUES ('tea', 2.5)")
    db.commit()
    h.start()
    c = assert_is(h, "count", "healthy", "ok", "1 row")
    assert c["metrics"]["count"] == 1 and c["metrics"]["price_eur"] == 2.5
    assert c["metrics"]["rows"] == 1 and c["metrics"]["query_ms"] >= 0
    assert_is(h, "equal", "healthy", "ok")
    assert_is(h, "empty", "critical", "sql_no_row", "0 rows, expected 1")
    assert_is(h, "bad", "critical", "sql_error", "nowhere")
    assert_is(h, "writes", "critical", "sql_error")
    assert_is(h, "slow", "down", "timeout_read")
    assert_is(h, "missing", "down", "conn_refused")
    assert_is(h, "column", "unknown", "config_error", "weight")
    db.execute("UPDATE goods SET name = 'coffee'")
    db.commit()
    assert_is(h, "equal", "critical", "sql_mismatch", "'coffee', expected 'tea'")
    assert db.execute("SELECT count(*) FROM goods").fetchone() == (1,)
    assert not os.path.exists(f"{h.dir}/none.db")
    db.close()


def test_sql_on_postgres(hale, postgres):
    postgres.sql("DROP TABLE IF EXISTS orders")
    postgres.sql("CREATE TABLE orders (id int, state text)")
    postgres.sql("INSERT INTO orders VALUES (1, 'open'), (2, 'open')")
    dsn = postgres.dsn
    h = hale(components(
        count=f"sql: {{postgres: {{dsn: '{dsn}'}}, query: SELECT count(*) AS open FROM orders}}",
        state=f"sql: {{postgres: {{dsn: '{dsn}'}}, query: SELECT state FROM orders WHERE id = 1,"
              " expect: open}",
        writes=f"sql: {{postgres: {{dsn: '{dsn}'}}, query: DELETE FROM orders}}",
        bad=f"sql: {{postgres: {{dsn: '{dsn}'}}, query: SELECT * FROM nowhere}}",
        slow=f"sql: {{postgres: {{dsn: '{dsn}'}}, query: SELECT pg_sleep(100)}}",
        nobody=f"sql: {{postgres: {{dsn: '{dsn.replace('user=hale', 'user=nobody_here')}'}}}}"))
    assert assert_is(h, "count", "healthy", "ok")["metrics"]["open"] == 2
    assert_is(h, "state", "healthy", "ok")
    assert_is(h, "writes", "critical", "sql_error", "read-only transaction")
    assert_is(h, "bad", "critical", "sql_error", "nowhere")
    assert_is(h, "slow", "down", "timeout_read")
    assert_is(h, "nobody", "critical", "sql_auth", "nobody_here")
    postgres.sql("UPDATE orders SET state = 'closed' WHERE id = 1")
    assert_is(h, "state", "critical", "sql_mismatch", "'closed', expected 'open'")
    assert postgres.sql("SELECT count(*) FROM orders") == [["2"]]
    # The queries it gave up are not left running on the server: at most the one of this second.
    h.cli("stop", "check.sql", check=True)
    wait_for(lambda: postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE"
                                  " '%pg_sleep(100)%' AND pid <> pg_backend_pid()") == [["0"]],
             "no query left on the server")
    h.cli("start", "check.sql", check=True)
    h.wait_status("count", "healthy")
    try:
        postgres.stop()
        assert_is(h, "count", "down", "conn_refused")
    finally:
        postgres.start()
    h.wait_status("count", "healthy")


def test_sql_wrong_password(hale, postgres):
    """By a login that needs one, over the socket's own line in pg_hba.conf."""
    hba = f"{postgres.dir}/data/pg_hba.conf"
    with open(hba) as f:
        before = f.read()
    postgres.sql("DROP ROLE IF EXISTS clerk")
    postgres.sql("CREATE ROLE clerk LOGIN PASSWORD 'right-one'")
    try:
        with open(hba, "w") as f:
            f.write("host all clerk 127.0.0.1/32 scram-sha-256\n" + before)
        postgres.sql("SELECT pg_reload_conf()")
        base = f"host=127.0.0.1 port={postgres.port} user=clerk dbname=postgres password="
        h = hale(components(right=f"sql: {{postgres: {{dsn: '{base}right-one'}}}}",
                            wrong=f"sql: {{postgres: {{dsn: '{base}wrong-one'}}}}"))
        h.wait_status("right", "healthy")
        assert_is(h, "wrong", "critical", "sql_auth", "clerk")
        shown = h.cli("status", "-o", "json").stdout + h.cli("config", "show").stdout + h.logs()
        assert "right-one" not in shown and "wrong-one" not in shown
    finally:
        with open(hba, "w") as f:
            f.write(before)
        postgres.sql("SELECT pg_reload_conf()")


# ---- system ----

def test_system_reports_this_machine(hale):
    h = hale(components(
        machine="system: {}", nowhere="system: {disks: /no/such/path}",
        full="system: {}, interval: 1s, timeout: 800ms, impact: degraded, thresholds:"
             " {uptime_seconds: {critical: '> 1'}}"))
    c = assert_is(h, "machine", "healthy", "ok", "cpu ")
    m = c["metrics"]
    disk = os.statvfs("/")
    assert m["cpu_cores"] == os.cpu_count()
    assert 0 <= m["cpu_percent"] <= 100 and 0 < m["memory_used_percent"] < 100
    assert m["disk_total_bytes"] == disk.f_blocks * disk.f_frsize
    assert m["processes"] > 5 and m["uptime_seconds"] > 1 and m["open_files"] > 0
    assert {"load1", "load5", "load15", "load_per_core", "swap_used_percent",
            "network_rx_bytes_per_second"} <= set(m)
    assert_is(h, "nowhere", "unknown", "config_error", "/no/such/path")
    assert_is(h, "full", "critical", "threshold", "uptime_seconds")
    assert h.status()["status"] == "degraded"


# ---- by command ----

def test_hale_check_runs_now_and_counts_for_nothing(hale, nginx):
    h = hale(components(ok=f"http: {{url: '{nginx.url}/ok.json'}}, interval: 1h, timeout: 2s",
                        bad=f"http: {{url: '{nginx.url}/fail'}}, interval: 1h, timeout: 2s",
                        silent="null: {hang: true}, interval: 1h, timeout: 300ms",
                        warns="null: {outcome: warn}, interval: 1h, timeout: 1s"))
    settled(h, "bad")
    failures = h.component("bad")["consecutive_failures"]
    r = h.cli("check", "ok")
    assert r.returncode == 0 and "HTTP 200" in r.stdout, r
    r = h.cli("check", "bad")
    assert r.returncode == 2 and "HTTP 500" in r.stdout and "http_status" in r.stdout
    r = h.cli("check", "silent")
    assert r.returncode == 2 and "after 300ms" in r.stdout
    assert h.cli("check", "warns").returncode == 1
    o = json.loads(h.cli("-o", "json", "check", "ok").stdout)["observation"]
    assert o["outcome"] == "pass" and o["metrics"]["status_code"] == 200
    assert h.component("bad")["consecutive_failures"] == failures
    r = h.cli("check", "silnt")
    assert r.returncode == 3 and "no component or process is named 'silnt'" in r.stderr
    r = h.cli("check", "web")
    assert r.returncode != 0 and "process" in r.stderr
