# SPDX-License-Identifier: Apache-2.0
"""The kind smtp against a real server (python3-aiosmtpd) and against peers that follow a script."""
import contextlib
import logging
import socketserver
import ssl
import threading

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from conftest import free_port, wait_for
from servers import certificate
from test_checks import assert_is, components

logging.getLogger("mail.log").setLevel(logging.ERROR)  # of its own deprecations
PASSWORD = "open-sesame-37"


class Handler:
    """Keeps what it was asked, and is given to refusing."""

    def __init__(self):
        self.mails = []
        self.ends = []

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return "550 5.7.1 not from you" if address.startswith("spam@") else "250 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        if address.startswith("grey@"):
            return "450 4.2.0 try again in five minutes"
        envelope.rcpt_tos.append(address)
        return "251 it will be passed on" if address.startswith("moved@") else "250 ok"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(envelope)
        return "250 ok"

    async def handle_RSET(self, server, session, envelope):
        self.ends.append("RSET")
        return "250 ok"

    async def handle_QUIT(self, server, session, envelope):
        self.ends.append("QUIT")
        return "221 bye"


def login(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"monitor", PASSWORD.encode())
    return AuthResult(success=good, handled=False)


class MailServer(Controller):
    def __init__(self, directory, **how):
        self.how = how
        self.cert, key = certificate(directory)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.cert, key)
        self.implicit = how.pop("implicit", False)
        super().__init__(Handler(), hostname="127.0.0.1", port=how.pop("port", None) or free_port(),
                         ssl_context=self.tls if self.implicit else None)
        self.start()

    def factory(self):
        tls = None if self.implicit or self.how.get("plain") else self.tls
        return SMTP(self.handler, hostname="mail.test", ident="ready", tls_context=tls,
                    authenticator=login, auth_require_tls=not (self.how.get("plain")
                                                               or self.implicit),
                    require_starttls=self.how.get("strict", False))


@pytest.fixture
def mail(tmp_path):
    """A factory of servers."""
    made = []
    # Where hale runs as another user, that one must read the certificate.
    for d in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        d.chmod(0o755)

    def make(**how):
        made.append(MailServer(tmp_path, **how))
        return made[-1]
    yield make
    for m in made:
        if not m.loop.is_closed():
            m.stop()


class Scripted:
    """Greets, and answers each line with the next of its answers; then holds the line."""

    def __init__(self, *answers):
        heard = self.heard = []

        class Talk(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    for answer in answers:
                        self.wfile.write(answer.encode())
                        heard.append(self.rfile.readline())
                    while self.rfile.readline():
                        pass

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def test_smtp_and_what_can_be_wrong_with_it(hale, mail, sink, black_hole):
    open_, plain, implicit, strict = mail(), mail(plain=True), mail(implicit=True), mail(strict=True)
    tls = f"tls: {{ca: {open_.cert}}}"
    user = f"username: monitor, password: {PASSWORD}"

    def at(server, host="localhost"):
        return f"address: '{host}:{server.port}'"
    for s in (plain, implicit, strict):  # each made a certificate of its own, in the same file
        s.tls.load_cert_chain(open_.cert, open_.cert.replace(".pem", ".key"))
    open_.tls.load_cert_chain(open_.cert, open_.cert.replace(".pem", ".key"))
    h = hale(components(
        offered=f"smtp: {{{at(open_)}, {tls}}}",
        login=f"smtp: {{{at(open_)}, encryption: starttls, {tls}, {user}, mail_from: '',"
              " rcpt_to: [moved@test, a@test]}",
        by_login=f"smtp: {{{at(open_)}, {tls}, {user}, auth: login}}",
        wrong=f"smtp: {{{at(open_)}, {tls}, username: monitor, password: wrong-word-41}}",
        nobody=f"smtp: {{{at(plain)}, encryption: none, mail_from: me@test, rcpt_to:"
               " [nobody@test]}",
        grey=f"smtp: {{{at(plain)}, encryption: none, mail_from: me@test, rcpt_to: [grey@test]}}",
        spam=f"smtp: {{{at(plain)}, encryption: none, mail_from: spam@test}}",
        no_tls=f"smtp: {{{at(plain)}, encryption: starttls}}",
        clear=f"smtp: {{{at(plain)}, {user}}}",
        told=f"smtp: {{{at(plain)}, encryption: none, {user}}}",
        implicit=f"smtp: {{{at(implicit)}, encryption: tls, {tls}, {user}}}",
        strict=f"smtp: {{{at(strict)}, encryption: none, mail_from: me@test}}",
        strange=f"smtp: {{{at(open_)}}}",
        named=f"smtp: {{{at(open_, '127.0.0.1')}, {tls}, expect_banner: mail.test}}",
        other=f"smtp: {{{at(open_)}, {tls}, expect_banner: mail.example.org}}",
        hung=f"smtp: {{{at(black_hole)}}}",
        web=f"smtp: {{{at(sink)}}}"))
    c = assert_is(h, "offered", "healthy", "ok", "SMTP over TLS")
    assert c["metrics"]["cert_expires_seconds"] > 86400 and c["metrics"]["banner_ms"] > 0
    assert {"hello_ms", "session_ms", "tls_ms"} <= set(c["metrics"])
    assert c["details"]["banner"] == "mail.test ready" and "AUTH" in c["details"]["extensions"]
    assert_is(h, "login", "healthy", "ok")
    assert_is(h, "by_login", "healthy", "ok")
    assert_is(h, "wrong", "critical", "auth_failed", "AUTH: 535")
    assert_is(h, "nobody", "critical", "unexpected_reply", "RCPT TO <nobody@test>: 550 5.1.1")
    assert_is(h, "grey", "degraded", "unexpected_reply", "RCPT TO <grey@test>: 450")
    assert_is(h, "spam", "critical", "unexpected_reply", "MAIL FROM <spam@test>: 550")
    assert_is(h, "no_tls", "critical", "tls_failed", "STARTTLS is not offered")
    assert_is(h, "clear", "critical", "tls_failed", "a password is not sent unencrypted")
    assert_is(h, "told", "healthy", "ok", "SMTP in")
    assert_is(h, "implicit", "healthy", "ok", "SMTP over TLS")
    assert_is(h, "strict", "critical", "auth_failed", "MAIL FROM <me@test>: 530")
    assert_is(h, "strange", "critical", "tls_cert")
    assert_is(h, "named", "healthy", "ok")
    assert_is(h, "other", "critical", "body_mismatch", "does not contain 'mail.example.org'")
    assert_is(h, "hung", "down", "timeout_read")
    assert_is(h, "web", "down", "timeout_read")  # it waits for us to ask
    # It asked, and sent nothing.
    wait_for(lambda: {"RSET", "QUIT"} <= set(open_.handler.ends), "taken leave of")
    assert not open_.handler.mails and not plain.handler.mails
    shown = h.cli("-o", "json", "check", "login").stdout + h.cli("-o", "json", "status").stdout
    shown += h.cli("config", "show").stdout + h.logs()
    assert PASSWORD not in shown and "wrong-word-41" not in shown
    open_.stop()
    # A dialogue under way was closed; the next finds nobody.
    wait_for(lambda: h.component("offered")["reason"] == "conn_refused", "nobody there")
    assert_is(h, "offered", "down", "conn_refused")
    mail(port=open_.port)
    # With a new certificate, in the file that is trusted.
    assert_is(h, "offered", "healthy", "ok")


def test_smtp_against_peers_of_all_kinds(hale):
    peers = {
        "busy": Scripted("421 4.3.2 too many connections\r\n"),
        "closed": Scripted("554 no service here\r\n", "221 bye\r\n"),
        "old": Scripted("220 x\r\n", "502 what?\r\n", "250 hello\r\n", "221 bye\r\n"),
        "ssh": Scripted("SSH-2.0-OpenSSH_9.2p1\r\n"),
        "page": Scripted("".join(f"220-line {i} of the law\r\n" for i in range(1000))),
        "eager": Scripted("220 x\r\n250 y\r\n"),
        # What is slipped in behind the answer to STARTTLS would count as said within TLS.
        "inject": Scripted("220 x\r\n", "250-y\r\n250 STARTTLS\r\n", "220 go\r\n250 AUTH PLAIN\r\n"),
        "refuses": Scripted("220 x\r\n", "250-y\r\n250 STARTTLS\r\n", "454 not now\r\n",
                            "221 bye\r\n"),
        "stays": Scripted("220 x\r\n", "250 y\r\n")}
    try:
        h = hale(components(**{n: f"smtp: {{address: '127.0.0.1:{p.port}', hello: me.test}}"
                               for n, p in peers.items()}))
        assert_is(h, "busy", "degraded", "unexpected_reply", "banner: 421")
        assert_is(h, "closed", "critical", "unexpected_reply", "banner: 554")
        assert_is(h, "old", "healthy", "ok")
        assert peers["old"].heard[:3] == [b"EHLO me.test\r\n", b"HELO me.test\r\n", b"QUIT\r\n"]
        assert_is(h, "ssh", "critical", "protocol_error", "not a reply of SMTP: SSH-2.0")
        assert_is(h, "page", "critical", "protocol_error", "more than 128 lines")
        assert_is(h, "eager", "critical", "protocol_error", "more than one reply")
        assert_is(h, "inject", "critical", "protocol_error", "more than one reply")
        assert_is(h, "refuses", "critical", "tls_failed", "STARTTLS: 454 not now")
        # One that does not answer QUIT is as good.
        assert_is(h, "stays", "healthy", "ok")
    finally:
        for p in peers.values():
            p.close()
