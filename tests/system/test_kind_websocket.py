# SPDX-License-Identifier: Apache-2.0
"""The kind websocket against a real server (python3-websockets) and against what is none."""
import asyncio
import contextlib
import http
import json
import socketserver
import ssl
import threading

import pytest
import websockets

from conftest import DEADLINE, free_port, wait_for
from servers import certificate
from test_checks import assert_is, components


class Feed:
    """A market feed: acknowledges subscriptions, and does by its path what a test wants."""

    def __init__(self, directory):
        self.cert, key = certificate(directory)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.cert, key)
        self.port, self.tls_port = free_port(), free_port()
        self.heard = []   # (path, message)
        self.ended = []   # (path, code the client closed with)
        self.headers = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.servers = []
        self.start()

    def run(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(DEADLINE)

    async def answer(self, path, headers):
        self.headers[path] = headers
        if path == "/private" and headers.get("Authorization") != "Bearer let-me-in-31":
            return http.HTTPStatus.UNAUTHORIZED, [], b"no"
        if path == "/limited":
            return http.HTTPStatus.TOO_MANY_REQUESTS, [], b"later"
        if path == "/moved":
            return http.HTTPStatus.FOUND, [("Location", "/feed")], b""
        if path == "/gone":
            return http.HTTPStatus.NOT_FOUND, [], b"no"
        return None

    async def serve(self, socket, path=None):
        path = path or socket.path
        if path == "/not-allowed":
            await socket.close(1008, "not allowed")
        elif path == "/going":
            await socket.close(1001, "going away")
        elif path == "/flood":
            await socket.send("x" * 3000)
        elif path == "/pieces":
            await socket.send(["{\"a\":", "[1,2", ",3]}"])
            await socket.send(b"\x00\x01")
        elif path == "/noise":
            await socket.send("{\"type\": \"noise\"}")
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in socket:
                self.heard.append((path, message))
                if path == "/mute":
                    continue
                with contextlib.suppress(ValueError):
                    rq = json.loads(message)
                    await socket.send(json.dumps({"type": "subscribed", "symbol": rq["symbol"],
                                                  "lag_ms": 12.5}))
        self.ended.append((path, socket.close_code))

    async def listen(self):
        for port, tls in ((self.port, None), (self.tls_port, self.tls)):
            self.servers.append(await websockets.serve(
                self.serve, "127.0.0.1", port, ssl=tls, process_request=self.answer,
                subprotocols=["v2.feed"], ping_interval=None))

    def start(self):
        self.run(self.listen())

    async def hang_up(self):
        for s in self.servers:
            s.close()
            await s.wait_closed()
        self.servers = []

    def stop(self):
        self.run(self.hang_up())

    def close(self):
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(DEADLINE)
        self.loop.close()


@pytest.fixture
def feed(tmp_path):
    f = Feed(tmp_path)
    # Where hale runs as another user, that one must read the certificate.
    for d in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        d.chmod(0o755)
    yield f
    f.close()


class Scripted:
    """Says what it is told once a request has come, and holds the line."""

    def __init__(self, text):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.recv(65536)
                with contextlib.suppress(OSError):
                    self.request.sendall(text)
                    while self.request.recv(65536):
                        pass

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


SUBSCRIBE = ("subscriptions: [AAPL, MSFT, TSLA], subscribe:"
             " '{\"type\": \"subscribe\", \"symbol\": \"{subscription}\"}'")
ACK = "expect: {jq: '.type == \"subscribed\"'}"


def test_websocket_and_what_can_be_wrong_with_it(hale, feed, sink, black_hole):
    def at(path):
        return f"url: 'ws://127.0.0.1:{feed.port}{path}'"
    h = hale(components(
        feed=f"websocket: {{{at('/feed')}, {SUBSCRIBE}, {ACK}, expect_count: 3, metrics:"
             " {lag_ms: .lag_ms}}, messages: {down: Disconnected}",
        mute=f"websocket: {{{at('/mute')}, {SUBSCRIBE}}}",
        few=f"websocket: {{{at('/feed')}, {SUBSCRIBE}, {ACK}, expect_count: 4}}",
        silent=f"websocket: {{{at('/mute')}, {SUBSCRIBE}, {ACK}}}",
        other=f"websocket: {{{at('/noise')}, expect: {{text: trade}}}}",
        bare=f"websocket: {{{at('')}, ping: false}}",
        secure=f"websocket: {{url: 'wss://localhost:{feed.tls_port}/feed', tls: {{ca:"
               f" {feed.cert}}}, subprotocols: [v1.feed, v2.feed]}}",
        strange=f"websocket: {{url: 'wss://localhost:{feed.tls_port}/feed'}}",
        private=f"websocket: {{{at('/private')}}}",
        login=f"websocket: {{{at('/private')}, headers: {{Authorization: Bearer let-me-in-31}}}}",
        limited=f"websocket: {{{at('/limited')}}}",
        moved=f"websocket: {{{at('/moved')}}}",
        gone=f"websocket: {{{at('/gone')}}}",
        forbidden=f"websocket: {{{at('/not-allowed')}}}",
        going=f"websocket: {{{at('/going')}}}",
        flood=f"websocket: {{{at('/flood')}, message_max: 2KB, expect: {{text: y}}}}",
        pieces=f"websocket: {{{at('/pieces')}, expect: {{jq: '.a == [1,2,3]'}}, metrics:"
               " {n: '.a|length'}}",
        number=f"websocket: {{{at('/pieces')}, metrics: {{n: .a}}}}",
        web=f"websocket: {{url: '{sink.url.replace('http', 'ws')}/'}}",
        hung=f"websocket: {{url: 'ws://127.0.0.1:{black_hole.port}'}}",
        empty="websocket: {url: '${NO_SUCH_FEED:-}'}"))
    c = assert_is(h, "feed", "healthy", "ok", "Connected, 3 subscriptions")
    m = c["metrics"]
    assert m["subscription_count"] == 3 and m["messages"] == 3 and m["lag_ms"] == 12.5
    assert m["status_code"] == 101 and m["pong_ms"] > 0 and m["upgrade_ms"] > 0
    assert "websockets" in c["details"]["server"]
    assert_is(h, "mute", "healthy", "ok", "Connected, 3 subscriptions")
    assert_is(h, "few", "critical", "body_mismatch")
    assert_is(h, "silent", "down", "timeout_read")
    assert_is(h, "other", "critical", "body_mismatch")
    assert_is(h, "bare", "healthy", "ok", "Connected")
    c = assert_is(h, "secure", "healthy", "ok", "Connected, pong in")
    assert c["details"]["subprotocol"] == "v2.feed" and c["metrics"]["cert_expires_seconds"] > 86400
    assert_is(h, "strange", "critical", "tls_cert")
    assert_is(h, "private", "critical", "http_auth", "HTTP 401")
    assert_is(h, "login", "healthy", "ok")
    assert_is(h, "limited", "critical", "http_rate_limited", "HTTP 429")
    assert_is(h, "moved", "critical", "http_status", "it sends us to /feed")
    assert_is(h, "gone", "critical", "http_status", "HTTP 404")
    assert_is(h, "forbidden", "critical", "unexpected_reply", "1008 not allowed")
    assert_is(h, "going", "down", "conn_closed", "1001 going away")
    assert_is(h, "flood", "critical", "too_large")
    assert assert_is(h, "pieces", "healthy", "ok")["metrics"]["n"] == 3
    assert_is(h, "number", "unknown", "expression_error", "metric n")
    assert_is(h, "web", "critical", "http_status", "HTTP 200")
    assert_is(h, "hung", "down", "timeout_read")
    assert h.component("empty")["status"] == "unknown"
    assert "ot configured" in h.component("empty")["message"]
    # Subscribed to each, asked as a client should, and left with a goodbye.
    symbols = {json.loads(m)["symbol"] for p, m in feed.heard if p == "/feed"}
    assert symbols == {"AAPL", "MSFT", "TSLA"}
    assert "Sec-WebSocket-Extensions" not in feed.headers["/feed"]
    wait_for(lambda: ("/feed", 1000) in feed.ended, "closed in order")
    assert {code for path, code in feed.ended if path in ("/feed", "/mute") and code != 1006} == {1000}
    assert "let-me-in-31" not in h.cli("-o", "json", "check", "login").stdout + h.logs()
    feed.stop()
    assert_is(h, "feed", "down", "conn_refused", "Disconnected")
    feed.start()
    assert_is(h, "feed", "healthy", "ok", "Connected, 3 subscriptions")


def test_websocket_against_what_is_none(hale):
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    peers = {
        "ssh": Scripted(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        "no_key": Scripted(head + b"\r\n"),
        "old_key": Scripted(head + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
        "endless": Scripted(b"HTTP/1.1 101 x\r\nX: " + b"y" * 100000),
        "half": Scripted(head)}
    try:
        h = hale(components(**{n: f"websocket: {{url: 'ws://127.0.0.1:{p.port}/'}}"
                               for n, p in peers.items()}))
        assert_is(h, "ssh", "critical", "protocol_error", "the answer is not HTTP: SSH-2.0")
        assert_is(h, "no_key", "critical", "protocol_error", "Sec-WebSocket-Accept is ''")
        assert_is(h, "old_key", "critical", "protocol_error", "not that of our key")
        assert_is(h, "endless", "critical", "too_large")
        assert_is(h, "half", "down", "timeout_read")
    finally:
        for p in peers.values():
            p.close()
