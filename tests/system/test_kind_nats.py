# SPDX-License-Identifier: Apache-2.0
"""The kind nats against real NATS servers."""
import contextlib
import json
import signal
import socket
import socketserver
import subprocess
import threading

import pytest

from conftest import DEADLINE, wait_for
from servers import Server, certificate
from test_checks import assert_is, components

TOKEN = "open-sesame-43"


class Nats(Server):
    def __init__(self, config="", *options):
        super().__init__()
        self.options = options
        with open(f"{self.dir}/conf", "w") as f:
            f.write(config.replace("@DIR@", self.dir))
        self.start()

    def arguments(self):
        return ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-c", f"{self.dir}/conf",
                *self.options]

    def is_up(self):
        with socket.create_connection(("127.0.0.1", self.port), 1) as s:
            return s.recv(5) == b"INFO "


class Client:
    """As much of a client as the tests need; answers a subject, or asks one."""

    def __init__(self, server, **login):
        self.socket = socket.create_connection(("127.0.0.1", server.port), DEADLINE)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"INFO ")
        login.update(verbose=False, headers=True, no_responders=True)
        self.socket.sendall(f"CONNECT {json.dumps(login)}\r\nPING\r\n".encode())
        assert self.file.readline() == b"PONG\r\n"

    def publish(self, subject, payload="", reply=""):
        payload = payload if isinstance(payload, str) else json.dumps(payload)
        self.socket.sendall(f"PUB {subject} {reply} {len(payload)}\r\n{payload}\r\n".encode())

    def message(self):
        """(reply, payload) of the next one."""
        while True:
            line = self.file.readline()
            if line.startswith(b"PING"):
                self.socket.sendall(b"PONG\r\n")
            elif line.startswith(b"MSG "):
                words = line.decode().split()
                payload = self.file.read(int(words[-1]) + 2)[:-2].decode()
                return (words[3] if len(words) == 5 else None), payload
            else:
                assert line, "the server has gone"

    def ask(self, subject, payload=""):
        self.socket.sendall(b"SUB inbox.of.test 9\r\n")
        self.publish(subject, payload, "inbox.of.test")
        answer = json.loads(self.message()[1])
        assert "error" not in answer, answer
        return answer

    def serve(self, subject, answer):
        """Answers each question on a thread until it is closed."""
        self.socket.sendall(f"SUB {subject} 1\r\nPING\r\n".encode())
        assert self.file.readline() == b"PONG\r\n"

        def loop():
            with contextlib.suppress(OSError, AssertionError, ValueError):
                while True:
                    self.publish(self.message()[0], answer)
        self.thread = threading.Thread(target=loop, daemon=True)
        self.thread.start()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def nats():
    """A factory of servers."""
    made = []

    def make(*args):
        made.append(Nats(*args))
        return made[-1]
    yield make
    for n in made:
        n.close()


def test_nats_and_what_can_be_wrong_with_it(hale, nats, sink, black_hole, tmp_path):
    cert, key = certificate(tmp_path)
    # Where hale runs as another user, that one must read the certificate.
    for d in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        d.chmod(0o755)
    plain = nats("server_name: first\n", "-js", "-sd", "store")
    token = nats(f"authorization {{ token: {TOKEN} }}\n")
    users = nats("""authorization { users: [
        {user: watcher, password: watch-word-47, permissions: {publish: "orders.>"}}] }\n""")
    tls = nats(f"tls {{ cert_file: {cert}, key_file: {key} }}\n")
    few = nats("max_connections: 1\n")
    service = Client(plain)
    service.serve("orders.ping", {"ok": True, "queue": 7})
    maker = Client(plain)
    maker.ask("$JS.API.STREAM.CREATE.ORDERS",
              {"name": "ORDERS", "subjects": ["order.*"], "storage": "memory", "max_msgs": 10})
    maker.ask("$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.billing",
              {"stream_name": "ORDERS", "config": {"durable_name": "billing",
                                                   "ack_policy": "explicit"}})
    for i in range(4):
        assert maker.ask("order.new", {"id": i})["seq"] == i + 1
    holder = Client(few)

    def at(server):
        return f"address: '127.0.0.1:{server.port}'"
    ask = "request: {subject: orders.ping"
    h = hale(components(
        plain=f"nats: {{{at(plain)}}}",
        asks=f"nats: {{{at(plain)}, {ask}, expect: {{jq: .ok}}, metrics: {{queue: .queue}}}},"
             " stream: ORDERS, consumer: billing}",
        other=f"nats: {{{at(plain)}, {ask}, expect: {{text: paused}}}}, stream: ORDERS}}",
        nobody=f"nats: {{{at(plain)}, request: {{subject: orders.none}}}}",
        no_stream=f"nats: {{{at(plain)}, stream: NONE}}",
        no_consumer=f"nats: {{{at(plain)}, stream: ORDERS, consumer: none}}",
        no_js=f"nats: {{{at(token)}, token: {TOKEN}, stream: ORDERS}}",
        token=f"nats: {{{at(token)}, token: {TOKEN}}}",
        wrong=f"nats: {{{at(token)}, token: wrong-word-53}}",
        missing=f"nats: {{{at(token)}}}",
        user=f"nats: {{{at(users)}, username: watcher, password: watch-word-47}}",
        denied=f"nats: {{{at(users)}, username: watcher, password: watch-word-47, request:"
               " {subject: secrets.all}}",
        tls=f"nats: {{address: 'localhost:{tls.port}', tls: {{ca: {cert}}}}}",
        strange=f"nats: {{address: 'localhost:{tls.port}'}}",
        no_tls=f"nats: {{{at(plain)}, encryption: required}}",
        full=f"nats: {{{at(few)}}}",
        web=f"nats: {{{at(sink)}}}",
        hung=f"nats: {{{at(black_hole)}}}"))
    c = assert_is(h, "plain", "healthy", "ok", "NATS 2.")
    assert c["metrics"]["rtt_ms"] > 0 and c["details"]["server"] == "first"
    assert c["details"]["jetstream"] is True
    m = assert_is(h, "asks", "healthy", "ok")["metrics"]
    assert m["queue"] == 7 and m["request_ms"] > 0
    assert m["stream_messages"] == 4 and m["stream_messages_percent"] == 40
    assert m["stream_last_sequence"] == 4 and 0 <= m["stream_last_age_seconds"] < 60
    assert m["consumer_pending"] == 4 and m["consumer_ack_pending"] == 0
    c = assert_is(h, "other", "critical", "body_mismatch", "does not contain 'paused'")
    assert c["metrics"]["stream_messages"] == 4
    assert_is(h, "nobody", "critical", "unexpected_reply", "nobody answers to orders.none")
    assert_is(h, "no_stream", "critical", "unexpected_reply", "stream NONE: stream not found")
    assert_is(h, "no_consumer", "critical", "unexpected_reply", "consumer none: consumer not found")
    assert_is(h, "no_js", "critical", "unexpected_reply")
    assert_is(h, "token", "healthy", "ok")
    assert_is(h, "wrong", "critical", "auth_failed", "Authorization Violation")
    assert_is(h, "missing", "critical", "auth_failed", "Authorization Violation")
    assert_is(h, "user", "healthy", "ok")
    assert_is(h, "denied", "critical", "auth_failed", "Permissions Violation")
    c = assert_is(h, "tls", "healthy", "ok")
    assert c["metrics"]["cert_expires_seconds"] > 86400
    assert_is(h, "strange", "critical", "tls_cert")
    assert_is(h, "no_tls", "critical", "tls_failed", "offers no TLS")
    assert_is(h, "full", "critical", "unexpected_reply", "maximum connections exceeded")
    holder.close()
    assert_is(h, "full", "healthy", "ok")
    assert_is(h, "web", "down", "timeout_read")  # it waits for us to ask
    assert_is(h, "hung", "down", "timeout_read")
    # Taken from the stream, and not acknowledged: the consumer has them.
    maker.ask("$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing", {"batch": 1})
    wait_for(lambda: (lambda m: m["consumer_pending"] == 3 and m["consumer_ack_pending"] == 1)(
        h.component("asks")["metrics"]), "one is taken")
    service.close()
    assert_is(h, "asks", "critical", "unexpected_reply", "nobody answers to orders.ping")
    shown = h.cli("-o", "json", "check", "token").stdout + h.cli("-o", "json", "status").stdout
    shown += h.cli("config", "show").stdout + h.logs()
    for word in (TOKEN, "wrong-word-53", "watch-word-47"):
        assert word not in shown
    maker.close()
    plain.signal(signal.SIGSTOP)
    assert_is(h, "plain", "down", "timeout_read")
    plain.signal(signal.SIGCONT)
    assert_is(h, "plain", "healthy", "ok")
    plain.stop()
    assert_is(h, "plain", "down", "conn_refused")
    plain.start()
    assert_is(h, "plain", "healthy", "ok")


class Scripted:
    """Says the first text at once, the second when asked something, and holds the line."""

    def __init__(self, first, second=b""):
        class Talk(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    self.request.sendall(first)
                    self.request.recv(65536)
                    self.request.sendall(second)
                    while self.request.recv(65536):
                        pass

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def test_nats_against_peers_of_all_kinds(hale):
    hello = b"INFO {\"version\":\"2.9.10\"}\r\n"
    peers = {
        "lame": Scripted(hello, b"INFO {\"ldm\":true}\r\nPONG\r\n"),
        "ssh": Scripted(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        "json": Scripted(b"INFO {nonsense\r\n"),
        "early": Scripted(b"PING\r\n"),
        # What follows INFO unencrypted would count as said within TLS.
        "inject": Scripted(b"INFO {\"tls_required\":true}\r\nPONG\r\n"),
        "huge": Scripted(hello, b"MSG a 1 2000000\r\nxxx"),
        "news": Scripted(hello, b"+OK\r\nMSG other 9 2\r\nhi\r\nPING\r\nPONG\r\n")}
    try:
        h = hale(components(**{n: f"nats: {{address: '127.0.0.1:{p.port}'}}"
                               for n, p in peers.items()}))
        assert_is(h, "lame", "degraded", "unexpected_reply", "lame duck")
        assert_is(h, "ssh", "critical", "protocol_error", "not the protocol of NATS: SSH-2.0")
        assert_is(h, "json", "critical", "protocol_error", "INFO is not JSON")
        assert_is(h, "early", "critical", "protocol_error", "says INFO first")
        assert_is(h, "inject", "critical", "protocol_error", "goes on unencrypted")
        assert_is(h, "huge", "critical", "too_large", "2000000 bytes")
        assert_is(h, "news", "healthy", "ok")
    finally:
        for p in peers.values():
            p.close()


def test_nats_that_is_being_stopped(hale, nats):
    """With somebody connected a lame duck takes its time, and listens no more."""
    n = nats("lame_duck_duration: 30s\nlame_duck_grace_period: 1s\n")
    with contextlib.closing(Client(n)):
        h = hale(components(c=f"nats: {{address: '127.0.0.1:{n.port}'}}"))
        assert_is(h, "c", "healthy", "ok")
        subprocess.run(["nats-server", "--signal", f"ldm={n.process.pid}"], check=True,
                       capture_output=True)
        assert_is(h, "c", "down", "conn_refused")


def test_nats_subjects_are_looked_at(hale):
    h = hale("components: {c: {nats: {address: nowhere, request: {subject: 'a b'}, consumer: c}}}\n",
             start=False)
    r = h.cli("config", "check", h.config_path)
    text = r.stdout + r.stderr
    assert r.returncode != 0 and "has blanks" in text and "needs 'stream'" in text
