# SPDX-License-Identifier: Apache-2.0
"""Each process is held to its row of the table, is refused what it must not do, and still works."""
import ctypes
import json
import os
import platform
import re
import shutil
import sqlite3
import ssl
import subprocess
import threading

import pytest

from conftest import DEADLINE, Rpc, Sink, free_port, wait_for

RELEASE = tuple(int(n) for n in re.findall(r"\d+", platform.release())[:2])
SYS_LANDLOCK_CREATE_RULESET = 444


def landlock_abi():
    """What this kernel knows of Landlock; 0: nothing."""
    return max(0, ctypes.CDLL(None).syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, 1))


ABI = landlock_abi()
needs_all = pytest.mark.skipif(ABI < 6 or os.getuid() != 0,
                               reason="asserts what root gets of a kernel that knows all of it")

CONFIG = """
instance: {name: confined, timezone: America/New_York}
components:
  plain: {http: {url: 'http://localhost:%(http)d/', expect: {status: 200, jq: '.ok'}}, interval: 1s}
  tls: {http: {url: 'https://localhost:%(tls)d/', tls: {ca: '@DIR@/trust/ca.pem'}}, interval: 1s}
  port: {tcp: {address: 'localhost:%(http)d'}, interval: 1s}
  disk: {system: {}, interval: 1s}
  plugin: {exec: {command: [/bin/sh, -c, 'test -r @DIR@/hale.yaml && echo "OK - read it"']}, interval: 1s}
  file: {sql: {sqlite: {path: '@DIR@/app/app.db'}, query: 'SELECT n FROM t', expect: '7'}, interval: 1s}
  server: {sql: {postgres: {dsn: '%(dsn)s'}}, group: pg, interval: 1s}
  told: {"null": {file: '@DIR@/told/c0'}, interval: 1s}
alerts:
  channels:
    hook: {webhook: {url: '%(url)s/hook'}}
    book: {log: {file: '@DIR@/book/alerts.ndjson'}}
  rules: [{name: each, type: status_change, components: [told], cooldown: 0s}]
reconcile:
  stock:
    source: {sql: {sqlite: {path: '@DIR@/source/s.db'}, query: 'SELECT sku, n FROM truth'}}
    target: {sqlite: {path: '@DIR@/target/t.db'}, table: stock}
    key: [sku]
    columns: {n: {}}
    guards: {min_interval: 0s}
store: {}
"""
FILTERED = ["check.http", "check.tcp", "check.system", "check.sql", "check.sql.pg", "check.null",
            "notifier", "recorder", "reconciler", "web"]


class TlsServer:
    """Answers over TLS as localhost, with a certificate that signs itself."""

    def __init__(self, folder):
        self.pem, key = f"{folder}/ca.pem", f"{folder}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key,
                        "-out", self.pem], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem, key)
        self.sink = Sink()
        server = self.sink.server
        plain_get_request = server.get_request

        def get_request():
            connection, address = plain_get_request()
            return context.wrap_socket(connection, server_side=True,
                                       do_handshake_on_connect=False), address
        server.get_request = get_request
        self.port = self.sink.port

    def close(self):
        self.sink.close()


def make_database(path, script, wal=False):
    os.makedirs(os.path.dirname(path))
    db = sqlite3.connect(path)
    if wal:
        db.execute("PRAGMA journal_mode = WAL")
    db.executescript(script)
    db.close()


@pytest.fixture
def suite(hale, sink, postgres):
    """Everything hale has, at work."""
    h = hale(None, start=False)
    for name in ("trust", "told", "book"):
        os.makedirs(f"{h.dir}/{name}")
    tls = TlsServer(f"{h.dir}/trust")
    make_database(f"{h.dir}/app/app.db", "CREATE TABLE t (n); INSERT INTO t VALUES (7)", wal=True)
    make_database(f"{h.dir}/source/s.db",
                  "CREATE TABLE truth (sku, n); INSERT INTO truth VALUES ('a', 1), ('b', 2)")
    make_database(f"{h.dir}/target/t.db", "CREATE TABLE stock (sku PRIMARY KEY, n)")
    tell(h, "pass")
    h.write(CONFIG % {"http": sink.port, "tls": tls.port, "dsn": postgres.dsn, "url": sink.url})
    h.start()
    yield h
    tls.close()


def tell(h, text):
    with open(f"{h.dir}/told/c0.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/told/c0.new", f"{h.dir}/told/c0")


def proc_status(h, name):
    with open(f"/proc/{h.process_of(name)['pid']}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def confinement(h, name):
    return Rpc(h, name).call("confinement", probe=True, config=h.config_path)


def results(h, name):
    return {p["act"]: p["result"] for p in confinement(h, name)["probes"]}


def test_the_kernel_says_that_each_process_is_confined(suite):
    for name in FILTERED:
        status = proc_status(suite, name)
        assert status["Seccomp"] == "2", name
        assert status["NoNewPrivs"] == "1", name
        # CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYS_MODULE, CAP_SETUID, CAP_NET_ADMIN
        for cap in (21, 19, 16, 7, 12):
            assert not int(status["CapEff"], 16) >> cap & 1, f"{name}: {cap}"
            if os.getuid() == 0:
                assert not int(status["CapBnd"], 16) >> cap & 1, f"{name}: {cap}"
    # Plugins may be setuid.
    assert proc_status(suite, "check.exec")["NoNewPrivs"] == "0"
    if os.getuid() == 0:
        assert proc_status(suite, "check.exec")["Seccomp"] == "2"


@needs_all
def test_every_forbidden_act_is_refused(suite):
    for name in FILTERED + ["check.exec"]:
        probes = confinement(suite, name)["probes"]
        assert len(probes) >= 17, name
        for p in probes:
            assert p["result"] == p["expected"], f"{name}: {p}"
    never = {"start a program", "read hale's configuration", "look into haled's memory",
             "mount a file system", "become another user", "make a file in /tmp"}
    for name in FILTERED:
        seen = results(suite, name)
        assert all(seen[act] == "refused" for act in never), f"{name}: {seen}"
    for name in ("recorder", "check.sql", "check.system", "check.null"):
        assert results(suite, name)["open a network socket"] == "refused", name
    for name in ("check.http", "check.sql.pg", "notifier", "web"):
        assert results(suite, name)["open a network socket"] == "allowed", name
    assert results(suite, "web")["write the history"] == "refused"
    assert results(suite, "web")["connect by TCP"] == "refused"
    assert results(suite, "recorder")["write the history"] == "allowed"


def test_and_everything_still_works(suite, sink):
    h = suite
    for name in ("plain", "tls", "port", "disk", "plugin", "file", "server", "told"):
        h.wait_status(name, "healthy")
    tell(h, "fail on purpose")
    h.wait_status("told", "critical")
    hook = wait_for(lambda: [b for b in sink.bodies() if "alert" in b], "the webhook")
    assert hook[0]["alert"]["component"] == "told"
    wait_for(lambda: os.path.getsize(f"{h.dir}/book/alerts.ndjson") > 0, "the log channel")
    run = Rpc(h, "reconciler").call("reconcile.run", job="stock", dry_run=False)
    assert run["outcome"] == "done" and run["inserted"] == 2
    wait_for(lambda: history(h), "history")


def history(h):
    code, answer = h.get_json("/api/v1/health/history?component=told&what=transitions",
                              token="secret-token")
    assert code == 200, answer
    return answer["rows"]


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_web_reads_history_that_nobody_writes(suite, end):
    h = suite
    h.wait_status("told", "healthy")
    stored = wait_for(lambda: history(h), "stored")
    h.allow(r"process ended unexpectedly", r"crash")
    if end == "stopped":
        h.cli("stop", "recorder", check=True)
    else:
        os.kill(h.process_of("recorder")["pid"], 9)
        wait_for(lambda: h.process_of("recorder")["state"] == "ready", "recorder again")
    h.cli("restart", "web", check=True)
    again = wait_for(lambda: history(h), "read")
    assert again[-1] == stored[-1]


@needs_all
def test_doctor_finds_nothing_where_all_is_in_force(suite):
    r = suite.cli("doctor")
    assert r.returncode == 0, r.stdout
    assert "All that the table asks for is in force." in r.stdout
    for name in FILTERED:
        assert re.search(rf"^{re.escape(name)} .*filtered", r.stdout, re.M), r.stdout
    report = suite.json("doctor")
    assert report["ok"] and report["findings"] == []
    assert {c["check"] for c in report["host"]} >= {"kernel", "landlock", "seccomp", "haled",
                                                    "run directory", "state directory", "clock"}


def test_doctor_says_what_is_not_as_it_should_be(suite):
    os.chmod(suite.state_dir, 0o755)
    r = suite.cli("doctor")
    assert r.returncode == 1
    assert f"chmod o-rwx {suite.state_dir}" in r.stdout
    report = json.loads(suite.cli("-o", "json", "doctor").stdout)
    assert not report["ok"]


def test_doctor_without_hale(hale):
    h = hale(CONFIG, start=False)
    r = h.cli("doctor")
    assert r.returncode == 3
    assert "no hale is running" in r.stdout and "kernel" in r.stdout


@pytest.mark.skipif(ABI == 0, reason="without Landlock any file is readable")
def test_a_replaced_certificate_leads_to_a_restart(suite):
    h = suite
    h.wait_status("tls", "healthy")
    before = h.process_of("check.http")
    shutil.copy(f"{h.dir}/trust/ca.pem", f"{h.dir}/trust/new.pem")
    os.rename(f"{h.dir}/trust/new.pem", f"{h.dir}/trust/ca.pem")
    wait_for(lambda: h.process_of("check.http")["generation"] > before["generation"], "restart")
    h.wait_ready()
    assert h.process_of("check.http")["last_exit"]["expected"]
    h.wait_status("tls", "healthy")


def test_haled_without_privileges_works_and_says_what_it_could_not_do(hale, sink):
    if os.getuid() != 0:
        pytest.skip("the other tests are that already")
    import pwd
    h = hale("components: {c: {http: {url: '%s/'}, interval: 1s, timeout: 900ms}}\nstore: {}\n"
             % sink.url, start=False)
    nobody = pwd.getpwnam("nobody")
    os.chown(h.dir, nobody.pw_uid, nobody.pw_gid)
    os.chown(h.config_path, nobody.pw_uid, nobody.pw_gid)
    h.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    h.start()
    h.wait_status("c", "healthy")
    status = proc_status(h, "check.http")
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0
    if ABI > 0:
        assert results(h, "check.http")["read hale's configuration"] == "refused"
        assert results(h, "web")["write the history"] == "refused"
