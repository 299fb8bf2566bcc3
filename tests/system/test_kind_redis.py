# SPDX-License-Identifier: Apache-2.0
"""The kind redis against real Redis servers."""
import signal
import socket
import socketserver
import subprocess
import threading

import pytest

from conftest import free_port, wait_for
from servers import Server, certificate
from test_checks import assert_is, components

PASSWORD = "open-sesame-17"


class Redis(Server):
    def __init__(self, *options, password=None):
        super().__init__()
        self.options = options
        self.password = password
        self.start()

    def arguments(self):
        login = ["--requirepass", self.password] if self.password else []
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir,
                "--unixsocket", f"{self.dir}/socket", "--save", "", *login, *self.options]

    def cli(self, *args):
        login = ["-a", self.password, "--no-auth-warning"] if self.password else []
        r = subprocess.run(["redis-cli", "-s", f"{self.dir}/socket", *login, *args],
                           capture_output=True, text=True, check=True)
        return r.stdout.strip()

    def is_up(self):
        return super().is_up() and self.cli("ping") == "PONG"


@pytest.fixture
def redis():
    """A factory of servers."""
    made = []

    def make(*options, **how):
        made.append(Redis(*options, **how))
        return made[-1]
    yield make
    for r in made:
        r.close()


def test_redis_and_what_can_be_wrong_with_it(hale, redis, sink, black_hole, tmp_path):
    cert, key = certificate(tmp_path)
    tls = free_port()
    r = redis("--tls-port", str(tls), "--tls-cert-file", cert, "--tls-key-file", key,
              "--tls-ca-cert-file", cert, "--tls-auth-clients", "no", "--maxmemory", "64mb",
              "--unixsocketperm", "777", password=PASSWORD)
    r.cli("rpush", "jobs", "a", "b", "c")
    r.cli("set", "mode", "paper")
    r.cli("-n", "3", "set", "mode", "live")
    r.cli("acl", "setuser", "watcher", "on", ">watch-word-23", "~*", "+ping", "+get", "+select")
    at, login = f"address: '127.0.0.1:{r.port}'", f"password: {PASSWORD}"
    watcher = f"redis: {{{at}, username: watcher, password: watch-word-23"
    h = hale(components(
        good=f"redis: {{{at}, {login}, role: master, commands: [{{command: [LLEN, jobs], metric:"
             " queue_depth}, {command: [GET, mode], expect: paper}, {command: [LRANGE, jobs, 0, -1],"
             " element: 2, expect: c}]}",
        third=f"redis: {{{at}, {login}, db: 3, commands: [{{command: [GET, mode], expect: live}}]}}",
        other=f"redis: {{{at}, {login}, commands: [{{command: [GET, mode], expect: live}}]}}",
        nothing=f"redis: {{{at}, {login}, commands: [{{command: [GET, none], metric: n}}]}}",
        text=f"redis: {{{at}, {login}, commands: [{{command: [LLEN, mode]}}]}}",
        role=f"redis: {{{at}, {login}, role: replica}}",
        nobody=f"redis: {{{at}}}",
        wrong=f"redis: {{{at}, password: wrong-word-29}}",
        no_db=f"redis: {{{at}, {login}, db: 99}}",
        watcher=watcher + "}",
        watches=watcher + ", info: false, commands: [{command: [GET, mode], expect: paper}]}",
        unix=f"redis: {{address: 'unix:{r.dir}/socket', {login}}}",
        tls=f"redis: {{address: 'localhost:{tls}', {login}, tls: {{ca: {cert}}}}}",
        strange=f"redis: {{address: '127.0.0.1:{tls}', {login}, tls: true}}",
        web=f"redis: {{address: '127.0.0.1:{sink.port}'}}",
        hung=f"redis: {{address: '127.0.0.1:{black_hole.port}'}}"), start=False)
    # Where hale runs as another user, that one must reach the socket.
    subprocess.run(["chmod", "755", r.dir], check=True)
    subprocess.run(["chmod", "-R", "a+rX", tmp_path, tmp_path.parent], check=True)
    h.start()
    m = assert_is(h, "good", "healthy", "ok", "Redis 7.")["metrics"]
    assert m["queue_depth"] == 3 and m["keys"] == 2 and m["maxmemory_bytes"] == 64 << 20
    assert 0 < m["memory_percent"] < 100 and m["ping_ms"] > 0 and m["uptime_seconds"] >= 0
    assert m["connected_clients"] >= 1 and m["rdb_last_save_ok"] == 1 and m["evicted_keys"] == 0
    c = assert_is(h, "third", "healthy", "ok")
    assert c["metrics"]["keys"] == 1 and c["details"]["role"] == "master"
    assert_is(h, "other", "critical", "value_mismatch", "GET mode: 'paper', expected 'live'")
    assert_is(h, "nothing", "critical", "value_mismatch", "GET none: (nil), expected a number")
    assert_is(h, "text", "critical", "unexpected_reply", "LLEN mode: WRONGTYPE")
    assert_is(h, "role", "critical", "value_mismatch", "role is master, expected replica")
    assert_is(h, "nobody", "critical", "auth_failed", "PING: NOAUTH")
    assert_is(h, "wrong", "critical", "auth_failed", "AUTH: WRONGPASS")
    assert_is(h, "no_db", "critical", "unexpected_reply", "SELECT: ERR DB index is out of range")
    assert_is(h, "watcher", "critical", "auth_failed", "INFO: NOPERM")
    assert_is(h, "watches", "healthy", "ok", "PONG in")
    assert_is(h, "unix", "healthy", "ok")
    c = assert_is(h, "tls", "healthy", "ok")
    assert c["metrics"]["cert_expires_seconds"] > 86400 and c["details"]["tls_version"] == "TLSv1.3"
    assert_is(h, "strange", "critical", "tls_cert")
    assert_is(h, "web", "critical", "protocol_error", "not the protocol of Redis")
    assert_is(h, "hung", "down", "timeout_read")
    # A stopped one answers nothing, a dead one is refused, and both are noticed to be back.
    r.signal(signal.SIGSTOP)
    assert_is(h, "good", "down", "timeout_read")
    r.signal(signal.SIGCONT)
    assert_is(h, "good", "healthy", "ok")
    r.stop()
    assert_is(h, "good", "down", "conn_refused")
    r.start()
    c = assert_is(h, "good", "critical", "value_mismatch", "GET mode: (nil), expected 'paper'")
    assert c["metrics"]["queue_depth"] == 0
    shown = h.cli("-o", "json", "check", "good").stdout + h.cli("check", "wrong").stdout
    shown += h.cli("-o", "json", "status").stdout + h.cli("config", "show").stdout + h.logs()
    for word in (PASSWORD, "wrong-word-29", "watch-word-23"):
        assert word not in shown


def test_redis_replica_and_its_master(hale, redis):
    master = redis("--repl-ping-replica-period", "1")
    replica = redis("--replicaof", "127.0.0.1", str(master.port))
    wait_for(lambda: "master_link_status:up" in replica.cli("info", "replication"), "linked")
    h = hale(components(
        master=f"redis: {{address: '127.0.0.1:{master.port}', role: master}}",
        replica=f"redis: {{address: '127.0.0.1:{replica.port}', role: replica}}"))
    m = wait_for(lambda: (lambda m: m if "replication_lag_bytes" in m else None)(
        assert_is(h, "master", "healthy", "ok")["metrics"]), "the master counts its replica")
    assert m["connected_replicas"] == 1 and m["replication_lag_seconds"] <= 2
    c = assert_is(h, "replica", "healthy", "ok", "replica")
    assert c["metrics"]["master_link_up"] == 1
    assert c["details"]["master"] == f"127.0.0.1:{master.port}"
    master.stop()
    c = assert_is(h, "replica", "degraded", "value_mismatch", f"link to master 127.0.0.1:{master.port}"
                  " is down for")
    assert c["metrics"]["master_link_up"] == 0
    replica.cli("replicaof", "no", "one")
    assert_is(h, "replica", "critical", "value_mismatch", "role is master, expected replica")


def test_redis_that_loads_its_data(hale, redis):
    r = redis("--rdbcompression", "no")
    r.cli("eval", "for i = 1, 150 do redis.call('set', i, string.rep('x', 1000)) end", "0")
    assert r.cli("save") == "OK"
    h = hale(components(c=f"redis: {{address: '127.0.0.1:{r.port}'}}"))
    assert_is(h, "c", "healthy", "ok")
    r.stop()
    # Each key takes 20 ms, and it looks at its connections after each KiB.
    r.options = ("--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
    r.is_up = lambda: True
    r.start()
    assert_is(h, "c", "degraded", "process_starting", "loading its data")
    assert_is(h, "c", "healthy", "ok")


def test_redis_that_lets_nobody_in(hale, redis):
    r = redis("--maxclients", "1")
    h = hale(components(c=f"redis: {{address: '127.0.0.1:{r.port}'}}"))
    assert_is(h, "c", "healthy", "ok")

    def taken():
        s = socket.create_connection(("127.0.0.1", r.port))
        s.sendall(b"PING\r\n")
        if s.recv(100) == b"+PONG\r\n":
            return s
        s.close()
        return None
    with wait_for(taken, "the only place taken"):
        assert_is(h, "c", "critical", "unexpected_reply", "max number of clients reached")
    assert_is(h, "c", "healthy", "ok")


def test_redis_that_evicts(hale, redis):
    r = redis("--maxmemory-policy", "allkeys-random")
    h = hale(components(c=f"redis: {{address: '127.0.0.1:{r.port}'}}, thresholds:"
                        " {evicted_keys_per_second: {degraded: '> 0'}}"))
    wait_for(lambda: h.component("c")["metrics"]["evicted_keys_per_second"] == 0, "two checks")
    assert_is(h, "c", "healthy", "ok")
    r.cli("eval", "for i = 1, 100 do redis.call('set', i, string.rep('x', 10000)) end", "0")
    used = int(dict(line.split(":", 1) for line in r.cli("info", "memory").splitlines()
                    if ":" in line)["used_memory"])
    r.cli("config", "set", "maxmemory", str(used - 500000))
    c = assert_is(h, "c", "degraded", "threshold", "evicted_keys_per_second")
    assert c["metrics"]["evicted_keys"] > 0
    assert_is(h, "c", "healthy", "ok")


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)


def test_redis_that_is_none_and_echoes(hale):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as echo:
        threading.Thread(target=echo.serve_forever, args=(0.01,), daemon=True).start()
        h = hale(components(c=f"redis: {{address: '127.0.0.1:{echo.server_address[1]}', "
                              f"password: {PASSWORD}}}"))
        assert_is(h, "c", "critical", "unexpected_reply", "AUTH: expected OK")
        seen = h.json("check", "c")
        assert seen["saw"]["dialogue"] == ["> AUTH ***", "< …"] and PASSWORD not in str(seen)
        echo.shutdown()


def test_redis_refuses_what_writes(hale):
    h = hale("components: {c: {redis: {address: nowhere, commands: [{command: [FLUSHALL]}]}}}\n",
             start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0 and "'FLUSHALL' is not one of the commands that only look" in (
        r.stdout + r.stderr)
