# SPDX-License-Identifier: Apache-2.0
"""History in PostgreSQL, as an administrator would set it up: a role without rights beyond a schema."""
import json
import os
import re
import subprocess

import pytest
from conftest import Postgres, Rpc, wait_for

PASSWORD = "c0rrect-horse"
CONFIG = """
components:
  c0: {null: {file: '@DIR@/c0'}, interval: 200ms, timeout: 150ms}
"""


class Server(Postgres):
    """With passwords for "remembers", and TLS by a private authority."""

    def __init__(self):
        super().__init__()
        self.sql(f"CREATE ROLE remembers LOGIN PASSWORD '{PASSWORD}'")
        self.make_certificates()
        with open(f"{self.dir}/data/pg_hba.conf", "w") as f:
            f.write("local all hale trust\nhost all hale 127.0.0.1/32 trust\n"
                    "hostssl tls remembers 127.0.0.1/32 scram-sha-256\n"
                    "host tls remembers 127.0.0.1/32 reject\n"
                    "host all remembers 127.0.0.1/32 scram-sha-256\n")
        with open(f"{self.dir}/data/postgresql.conf", "a") as f:
            f.write("ssl = on\n")
        self.stop()
        self.start()

    def make_certificates(self):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self.openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
                     "-subj", "/CN=private authority")
        self.openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj",
                     "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        with open(f"{self.dir}/ext", "w") as f:
            f.write("subjectAltName=DNS:localhost\n")
        self.openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "server.crt")
        for name in ("server.key", "server.crt"):
            os.rename(f"{self.dir}/{name}", f"{self.dir}/data/{name}")
            os.chmod(f"{self.dir}/data/{name}", 0o600)
            if self.as_user:
                os.chown(f"{self.dir}/data/{name}", self.as_user["user"], self.as_user["group"])
        os.chmod(f"{self.dir}/ca.pem", 0o644)
        os.chmod(self.dir, 0o755)

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.dir, check=True, capture_output=True)

    def query(self, database, text):
        out = self.run("psql", "-h", self.dir, "-p", str(self.port), "-U", "hale", "-d", database,
                       "-AtqX", "-v", "ON_ERROR_STOP=1", "-F", "\t", "-c", text)
        return [line.split("\t") for line in out.splitlines()]

    def uri(self, database, password=PASSWORD, host="127.0.0.1"):
        return f"postgresql://remembers:{password}@{host}:{self.port}/{database}"


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.close()


@pytest.fixture
def database(server):
    """A new one, in which the role owns a schema and nothing else."""
    server.sql("DROP DATABASE IF EXISTS tls WITH (FORCE)")
    server.sql("CREATE DATABASE tls")
    server.query("tls", "CREATE SCHEMA hale AUTHORIZATION remembers")
    server.sql("DROP DATABASE IF EXISTS plain WITH (FORCE)")
    server.sql("CREATE DATABASE plain")
    server.query("plain", "CREATE SCHEMA hale AUTHORIZATION remembers")
    return server


def started(hale, options, state="pass"):
    h = hale(CONFIG + f"store: {{postgres: {{{options}}}}}\n", start=False)
    tell(h, state)
    h.start()
    return h


def tell(h, text):
    with open(f"{h.dir}/c0.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/c0.new", f"{h.dir}/c0")


def store_status(h):
    return Rpc(h, "recorder").call("store.status")


def settle(h):
    """Waits until all that haled has said up to now is stored."""
    status = h.status()

    def stored():
        c = store_status(h)["cursor"]
        return c["epoch"] == status["epoch"] and c["seq"] >= status["head"]
    wait_for(stored, "the store caught up")
    return status["epoch"], status["head"]


def stored_seqs(server, database, epoch, head):
    return [int(seq) for (seq,) in server.query(
        database, "SELECT seq FROM (SELECT seq, epoch FROM hale.v_results"
        " UNION ALL SELECT DISTINCT seq, epoch FROM hale.v_transitions t WHERE NOT EXISTS"
        " (SELECT FROM hale.v_results r WHERE r.seq = t.seq AND r.epoch = t.epoch)"
        " UNION ALL SELECT seq, epoch FROM hale.v_process_events"
        " UNION ALL SELECT seq, epoch FROM hale.v_events) x"
        f" WHERE epoch = '{epoch}' AND seq <= {head} ORDER BY seq")]


def assert_exactly(h, server, database):
    """Every line of haled's bus is in some table, once."""
    epoch, head = settle(h)
    assert stored_seqs(server, database, epoch, head) == list(range(1, head + 1))


def assert_no_password(h):
    shown = h.logs() + h.cli("config", "show").stdout + h.cli("status").stdout
    shown += str(store_status(h)) + h.cli("-o", "json", "status").stdout
    assert PASSWORD not in shown


def test_one_line_is_enough(hale, database):
    h = started(hale, f"dsn: '{database.uri('plain')}'")
    h.wait_status("c0", "healthy")
    tell(h, "fail")
    h.wait_status("c0", "critical", "down", "degraded")
    settle(h)
    assert_exactly(h, database, "plain")
    st = store_status(h)
    assert st["backend"] == "postgresql"
    assert st["where"] == f"postgresql 127.0.0.1:{database.port}/plain"
    # By the readers too.
    rows = h.cli("-o", "json", "history", "c0", check=True).stdout.splitlines()
    assert [json.loads(r)["to"] for r in rows][-1] != "healthy", rows
    code, answer = h.get_json("/api/v1/health/history?component=c0", token="secret-token")
    assert code == 200, answer
    assert_no_password(h)
    # Nothing but the schema, nothing in public, and no file of SQLite's.
    assert database.query("plain", "SELECT DISTINCT schemaname FROM pg_tables"
                          " WHERE tableowner = 'remembers'") == [["hale"]]
    assert not os.path.exists(f"{h.state_dir}/history.db")


def test_a_restart_of_the_server_loses_and_doubles_nothing(hale, database):
    h = started(hale, f"dsn: '{database.uri('plain')}', connect_timeout: 1s")
    h.allow("store cannot be used", "hale.recorder")
    h.wait_status("c0", "healthy")
    settle(h)
    before = h.status()["head"]
    database.stop()
    wait_for(lambda: h.status()["head"] > before + 8, "lines came meanwhile")
    assert h.component("c0")["status"] == "healthy"
    status = store_status(h)
    assert "refused" in status["error"] and "Is the server running" not in status["error"]
    assert status["keeper_error"] is not None
    database.start()
    assert_exactly(h, database, "plain")
    # The trouble of upkeep is over when storing goes on, not with its next turn.
    assert store_status(h)["keeper_error"] is None


def test_tls_is_verified_with_a_private_authority(hale, database):
    h = started(hale, f"dsn: '{database.uri('tls', host='localhost')}',"
                      f" tls: {{ca_file: '{database.dir}/ca.pem'}}")
    h.wait_status("c0", "healthy")
    assert_exactly(h, database, "tls")
    assert database.query("tls", "SELECT count(*) > 0, bool_and(ssl) FROM pg_stat_ssl JOIN"
                          " pg_stat_activity USING (pid) WHERE usename = 'remembers'"
                          ) == [["t", "t"]]


def test_a_certificate_of_another_name_is_refused(hale, database):
    h = started(hale, f"dsn: '{database.uri('tls')}', tls: {{mode: verify-full,"
                      f" ca_file: '{database.dir}/ca.pem'}}")
    h.allow("store cannot be used", "hale.recorder")
    h.wait_status("c0", "healthy")
    wait_for(lambda: re.search("certificate", store_status(h)["error"] or ""), "it says so")


@pytest.mark.parametrize("what,uri,expected", [
    ("password", lambda s: s.uri("plain", password="wr0ng-horse"), "password authentication failed"),
    ("database", lambda s: s.uri("nix"), 'database "nix" does not exist'),
    ("rights", lambda s: s.uri("postgres"), 'CREATE SCHEMA "hale" AUTHORIZATION "remembers"'),
])
def test_what_is_wrong_is_said_and_disturbs_nothing_else(hale, database, what, uri, expected):
    h = started(hale, f"dsn: '{uri(database)}'")
    h.allow("store cannot be used", "hale.recorder")
    h.wait_status("c0", "healthy")
    wait_for(lambda: expected in (store_status(h)["error"] or ""), expected)
    assert "horse" not in store_status(h)["error"]
    tell(h, "fail")
    h.wait_status("c0", "critical", "down", "degraded")
    assert "wr0ng-horse" not in h.logs()


def test_both_databases_are_refused_with_the_place(hale):
    h = hale(CONFIG + "store:\n  sqlite: {path: x.db}\n  postgres: {dsn: 'host=127.0.0.1'}\n",
             start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0
    assert "hale.yaml:5:11" in r.stdout + r.stderr, r.stdout + r.stderr
    assert "history is kept in one database" in r.stdout + r.stderr


def test_a_file_of_passwords_may_be_read(hale, database):
    h = hale(CONFIG + f"store: {{postgres: {{dsn: 'host=127.0.0.1 port={database.port}"
             " user=remembers dbname=plain', passfile: '@DIR@/pass'}}\n", start=False)
    with open(f"{h.dir}/pass", "w") as f:
        f.write(f"*:*:*:remembers:{PASSWORD}\n")
    os.chmod(f"{h.dir}/pass", 0o600)
    tell(h, "pass")
    h.start()
    h.wait_status("c0", "healthy")
    assert_exactly(h, database, "plain")
