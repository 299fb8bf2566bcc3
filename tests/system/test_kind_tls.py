# SPDX-License-Identifier: Apache-2.0
"""The kinds tls and tcp against real servers that speak TLS, well and badly."""
import os
import socket
import ssl
import subprocess
import threading

import aiosmtpd.controller
import pytest

from conftest import free_port, wait_for
from servers import Server
from test_checks import assert_is, components


def openssl(directory, *args):
    subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True)


class Authority:
    """Root and intermediate, and what they sign; all files are in `dir`."""

    CONFIG = """
[ca]
default_ca = x
[x]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = CA:FALSE
"""

    def __init__(self, directory):
        self.dir = str(directory)
        with open(f"{self.dir}/ca.cnf", "w") as f:
            f.write(self.CONFIG)
        open(f"{self.dir}/index.txt", "w").close()
        self.key("root")
        openssl(self.dir, "req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=Root", "-days",
                "30", "-out", "root.pem", "-addext", "basicConstraints=critical,CA:TRUE")
        self.sign("middle", "Middle", "root", kind="authority")

    def key(self, name):
        openssl(self.dir, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-out", f"{name}.key")

    def sign(self, name, common_name, by, kind="server", names="DNS:localhost,IP:127.0.0.1",
             begin=None, end=None):
        self.key(name)
        openssl(self.dir, "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={common_name}",
                "-out", f"{name}.csr", "-addext", f"subjectAltName={names}")
        when = ["-startdate", begin, "-enddate", end] if begin else ["-days", "20"]
        openssl(self.dir, "ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", f"{by}.pem",
                "-keyfile", f"{by}.key", "-extensions", kind, "-in", f"{name}.csr", "-out",
                f"{name}.pem", *when)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ca")
    for path in (directory, *directory.parents[:2]):
        os.chmod(path, 0o755)
    a = Authority(directory)
    a.sign("good", "shop", "middle")
    a.sign("expired", "old", "middle", begin="20200101000000Z", end="20200201000000Z")
    a.sign("other", "other", "middle", names="DNS:other.test")
    with open(f"{a.dir}/chained.pem", "w") as out:
        for name in ("good", "middle"):
            with open(f"{a.dir}/{name}.pem") as f:
                out.write(f.read())
    return a


class Tls(Server):
    """openssl's own server."""

    def __init__(self, authority, name, *options):
        super().__init__()
        self.ca, self.name, self.options = authority.dir, name, options
        self.start()

    def arguments(self):
        return ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert",
                f"{self.ca}/{self.name}.pem", "-key", f"{self.ca}/{self.name}.key", "-www",
                "-quiet", *self.options]


@pytest.fixture(scope="module")
def servers(authority):
    chain = ("-cert_chain", f"{authority.dir}/middle.pem")
    made = {
        "good": Tls(authority, "good", *chain),
        "alone": Tls(authority, "good"),
        "expired": Tls(authority, "expired", *chain),
        "other": Tls(authority, "other", *chain),
        "old": Tls(authority, "good", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", *chain),
        "asks": Tls(authority, "good", "-tls1_2", "-Verify", "1", "-verify_return_error", "-CAfile",
                    f"{authority.dir}/root.pem", *chain),
    }
    yield made
    for s in made.values():
        s.close()


def test_certificates(hale, servers, authority, nginx, postgres):
    ca = f"{authority.dir}/root.pem"

    def tls(name, options=""):
        return f"tls: {{address: 'localhost:{servers[name].port}', ca: {ca}{options}}}"
    own = f", cert: {authority.dir}/chained.pem, key: {authority.dir}/good.key"
    h = hale(components(
        good=tls("good", ", names: [localhost], issuer: Middle") +
        ", thresholds: {cert_expires_seconds: {degraded: '< 30000000'}}",
        alone=tls("alone"), expired=tls("expired"), other=tls("other"), old=tls("old"),
        shown=tls("expired", ", verify: false"), any=tls("old", ", min_version: any"),
        stranger=f"tls: {{address: 'localhost:{servers['good'].port}'}}",
        asks=tls("asks"), knows=tls("asks", own),
        pinned=tls("good", f", fingerprints: ['{'00:' * 31}00']"),
        plain=f"tls: {{address: '127.0.0.1:{nginx.port}'}}",
        refused=f"tls: {{address: '127.0.0.1:{postgres.port}', starttls: postgres}}",
        closed="tls: {address: '127.0.0.1:1'}"))
    good = assert_is(h, "good", "degraded", "threshold", "cert_expires_seconds")
    assert {"dns_ms", "connect_ms", "tls_ms", "chain_expires_seconds"} <= set(good["metrics"])
    assert good["details"]["subject"] == "CN=shop"
    assert good["details"]["issuer"] == "CN=Middle"
    assert good["details"]["tls_version"] == "TLSv1.3"
    assert_is(h, "alone", "critical", "tls_cert", "neither trusted nor sent along: CN=Middle")
    expired = assert_is(h, "expired", "critical", "tls_expired", "ago, on 2020-02-01")
    assert expired["metrics"]["cert_expires_seconds"] < -1e8
    assert_is(h, "other", "critical", "tls_cert", "certificate is for other.test, not for localhost")
    assert_is(h, "old", "critical", "tls_version", "server does not speak TLS 1.2 or later")
    assert_is(h, "shown", "healthy", "ok", "not verified: certificate expired")
    assert assert_is(h, "any", "healthy", "ok")["details"]["tls_version"] == "TLSv1.1"
    assert_is(h, "stranger", "critical", "tls_cert")
    assert_is(h, "asks", "critical", "tls_failed", "handshake failure")
    assert_is(h, "knows", "healthy", "ok")
    assert_is(h, "pinned", "critical", "value_mismatch", "another certificate: SHA-256 ")
    assert_is(h, "plain", "critical", "tls_failed", "server answers, but not with TLS")
    assert_is(h, "refused", "critical", "unexpected_reply", "server refuses TLS: N")
    assert_is(h, "closed", "down", "conn_refused")


class Quiet:
    async def handle_DATA(self, *_):
        return "250 OK"


@pytest.fixture
def mail(authority):
    """A mail server that offers STARTTLS; what it is told with it, and its port."""
    ctx = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ctx.load_cert_chain(f"{authority.dir}/chained.pem", f"{authority.dir}/good.key")
    port = free_port()
    c = aiosmtpd.controller.Controller(Quiet(), hostname="127.0.0.1", port=port, tls_context=ctx)
    c.start()
    yield port
    c.stop()


def test_starttls_of_a_mail_server(hale, mail, authority):
    ca = f"{authority.dir}/root.pem"
    h = hale(components(
        mail=f"tls: {{address: '127.0.0.1:{mail}', starttls: smtp, ca: {ca}}}",
        wrong=f"tls: {{address: '127.0.0.1:{mail}', starttls: imap, ca: {ca}}}"))
    c = assert_is(h, "mail", "healthy", "ok", "certificate is good for another 19d")
    assert c["metrics"]["starttls_ms"] > 0
    assert_is(h, "wrong", "critical", "protocol_error", "not an answer of this protocol: 220 ")


def test_tcp_speaks_tls_and_to_unix_sockets(hale, servers, authority, tmp_path):
    ca = f"{authority.dir}/root.pem"
    port = servers["good"].port
    path = f"{tmp_path}/socket"
    for d in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(d, 0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.listen(16)

    def greet():
        while True:
            try:
                with listener.accept()[0] as s:
                    s.sendall(b"hello\n")
            except OSError:
                return
    threading.Thread(target=greet, daemon=True).start()
    ask = "GET / HTTP/1.0\\r\\n\\r\\n"
    h = hale(components(
        secure=f"tcp: {{address: 'localhost:{port}', tls: {{ca: {ca}}}, send: \"{ask}\", "
               "expect_regex: '^HTTP/1.0 200'}",
        strange=f"tcp: {{address: 'localhost:{port}', tls: true}}",
        trusting=f"tcp: {{address: 'localhost:{port}', tls: {{verify: false}}}}",
        local=f"tcp: {{address: 'unix:{path}', expect: hello}}",
        gone=f"tcp: {{address: 'unix:{path}.not'}}"))
    c = assert_is(h, "secure", "healthy", "ok", "connected and got the expected answer")
    assert {"tls_ms", "first_byte_ms", "cert_expires_seconds"} <= set(c["metrics"])
    assert_is(h, "strange", "critical", "tls_cert")
    assert_is(h, "trusting", "healthy", "ok", "connected")
    assert_is(h, "local", "healthy", "ok")["details"]["answer"] == "hello "
    assert_is(h, "gone", "down", "conn_refused", f"{path}.not: no such file or directory")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_server_that_gets_a_new_certificate(hale, authority, tmp_path):
    for d in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(d, 0o755)
    ca = f"{tmp_path}/ca.pem"
    with open(f"{authority.dir}/root.pem") as f:
        old_root = f.read()
    new_dir = tmp_path / "new"
    new_dir.mkdir()
    new = Authority(new_dir)
    new.sign("good", "shop", "middle")
    with open(ca, "w") as f:
        f.write(old_root)
    server = Tls(authority, "good", "-cert_chain", f"{authority.dir}/middle.pem")
    try:
        h = hale(components(shop=f"tls: {{address: '127.0.0.1:{server.port}', ca: {ca}}}"))
        assert_is(h, "shop", "healthy", "ok")
        server.stop()
        server.ca, server.options = new.dir, ("-cert_chain", f"{new.dir}/middle.pem")
        server.start()
        assert_is(h, "shop", "critical", "tls_cert")
        with open(f"{new.dir}/root.pem") as f, open(ca, "w") as out:
            out.write(f.read())
        assert_is(h, "shop", "healthy", "ok")
        # One that takes its place may not be opened by the confined process: the old one stays.
        os.replace(f"{authority.dir}/good.csr", ca)
        before = h.component("shop")["last_check"]
        wait_for(lambda: h.component("shop")["last_check"] > before, "another check")
        assert h.component("shop")["status"] == "healthy"
    finally:
        server.close()
