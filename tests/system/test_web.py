# SPDX-License-Identifier: Apache-2.0
"""hale over HTTP: what it says, to whom, and what it refuses."""
import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import urllib.request

from conftest import DEADLINE, free_port, wait_for

COMPONENTS = """
components:
  api: {null: {file: '@DIR@/api', metrics: {queue_depth: 7}}, interval: 200ms, timeout: 150ms,
    label: "The \\"API\\""}
  db: {null: {file: '@DIR@/db'}, interval: 200ms, timeout: 150ms}
"""


def tell(h, name, text):
    """Atomically, as a checker may read at any moment."""
    with open(f"{h.dir}/{name}.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/{name}.new", f"{h.dir}/{name}")


def begun(hale, web=""):
    h = hale(COMPONENTS + web, start=False)
    tell(h, "api", "pass fine")
    tell(h, "db", "pass fine")
    h.start()
    wait_for(lambda: all(c["status"] == "healthy" for c in h.status()["components"]), "all healthy")
    wait_for(lambda: h.get("/health")[0] == 200, "the web knows")
    return h


PRIVATE = """
web:
  listen: [{address: '127.0.0.1:@PORT@'}]
  tokens:
    - {name: eyes, token: viewer-token, role: viewer}
    - {name: hands, token: operator-token, role: operator}
"""


# ---- health ----

def test_health(hale):
    h = begun(hale)
    code, body = h.get_json("/health")
    assert code == 200 and body["status"] == "healthy"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["timestamp"])
    assert body["score"] == 100 and {"api", "db"} <= {c["id"] for c in body["components"]}
    tell(h, "db", "fail disk full")
    wait_for(lambda: h.get("/health")[0] == 503, "503")
    assert h.get_json("/health")[1]["status"] == "critical"
    code, body = h.get_json("/health/db")
    assert code == 503 and body["status"] == "critical" and body["message"] == "disk full"
    assert body["reason"] == "told" and body["consecutive_failures"] >= 1
    code, body = h.get_json("/health/api")
    assert code == 200 and body["metrics"] == {"queue_depth": 7}
    assert h.get_json("/health/nobody") == (404, {"error": "Component not found"})
    # The same objects everywhere.
    code, listed = h.get_json("/api/v1/components")
    assert code == 200
    ours, shown = h.component("db"), next(c for c in listed["components"] if c["id"] == "db")
    assert set(ours) == set(shown)
    code, state = h.get_json("/api/v1/health")
    assert code == 200 and state["status"] == "critical" and set(state) >= set(h.status()) - {
        "bus"}
    code, processes = h.get_json("/api/v1/processes")
    assert {p["name"] for p in processes["processes"]} == {
        p["name"] for p in h.status()["processes"]}
    assert h.get_json("/api/v1/processes/web")[1]["state"] == "ready"
    assert h.get_json("/api/v1/components/nobody")[0] == 404
    tell(h, "db", "pass")
    wait_for(lambda: h.get("/health")[0] == 200, "200 again")


def test_degraded_may_be_a_200(hale):
    h = begun(hale, "web: {listen: [{address: '127.0.0.1:@PORT@', public_details: true}],"
              " degraded_status: 200}\n")
    tell(h, "db", "warn slow")
    wait_for(lambda: h.get_json("/health")[1]["status"] == "degraded", "degraded")
    assert h.get("/health")[0] == 200 and h.get("/health/db")[0] == 200
    tell(h, "db", "fail gone")
    wait_for(lambda: h.get("/health")[0] == 503, "503")


def test_livez_and_readyz_tell_a_haled_that_hangs(hale):
    h = begun(hale)
    h.allow(r"haled does not answer")
    assert h.get_json("/livez") == (200, {"status": "ok"})
    assert h.get_json("/readyz") == (200, {"status": "ok"})
    os.kill(h.process.pid, signal.SIGSTOP)
    try:
        wait_for(lambda: h.get("/readyz")[0] == 503, "not ready")
        assert h.get_json("/readyz")[1]["error"] == "haled does not answer"
        code, body = h.get_json("/health")
        assert (code, body["status"]) == (503, "unknown")
        assert h.get_json("/health/db")[1]["status"] == "unknown"
        assert h.get("/livez")[0] == 200
        assert "\nhale_snapshot_stale 1\n" in h.get("/metrics")[1]
    finally:
        os.kill(h.process.pid, signal.SIGCONT)
    wait_for(lambda: h.get("/readyz")[0] == 200, "ready again")
    wait_for(lambda: h.get("/health")[0] == 200, "healthy again")


def test_metrics_pass_promtool(hale):
    h = begun(hale)
    tell(h, "db", "fail \"quoted\" \\ back\\nslash")
    wait_for(lambda: h.get("/health")[0] == 503, "503")
    code, text, headers = h.get("/metrics")
    assert code == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    r = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                       text=True, timeout=DEADLINE)
    assert r.returncode == 0, r.stdout + r.stderr
    assert 'hale_health_status{component="db"} 0\n' in text
    assert 'hale_health_status{component="api"} 1\n' in text
    assert 'hale_component_state{component="db",state="critical"} 1\n' in text
    assert re.search(r'hale_component_metric\{component="api",metric="queue_depth"\} 7\n', text)
    assert "hale_overall_status 0\n" in text
    assert 'hale_process_up{process="recorder"} 1\n' in text
    assert "hale_config_last_reload_successful 1\n" in text
    assert re.search(r'hale_component_info\{[^}]*label="The \\"API\\""', text)


# ---- who may do what ----

def test_tokens_and_roles(hale):
    h = begun(hale, PRIVATE)
    code, body = h.get_json("/health")
    assert code == 200 and set(body) == {"status", "timestamp"}  # no more than that
    for path in ("/health/api", "/api/v1/health", "/api/v1/components", "/api/v1/processes",
                 "/api/v1/health/history", "/api/v1/events", "/api/v1/components/api"):
        code, text, headers = h.get(path)
        assert code == 401 and "WWW-Authenticate" in headers, path
        assert json.loads(text)["errorCode"] == "UNAUTHORIZED"
        assert h.get(path, token="wrong-token")[0] == 401, path
        assert h.get(path, headers={"Authorization": "Basic dmlld2VyLXRva2Vu"})[0] == 401, path
        assert h.get(path, token="viewer-token")[0] == 200, path
        assert h.get(path, token="operator-token")[0] == 200, path
    for path in ("/livez", "/readyz", "/metrics", "/", "/api/v1/routes"):
        assert h.get(path)[0] == 200, path
    restart = "/api/v1/processes/recorder/restart"
    pid = h.process_of("recorder")["pid"]
    assert h.get(restart, method="POST")[0] == 401
    code, body = h.get_json(restart, method="POST", token="viewer-token")
    assert code == 403 and body["errorCode"] == "FORBIDDEN"
    assert h.process_of("recorder")["pid"] == pid
    code, body = h.get_json(restart, method="POST", token="operator-token")
    assert code == 200 and body["success"] is True
    wait_for(lambda: (lambda p: p["pid"] not in (pid, None) and p["state"] == "ready")(
        h.process_of("recorder")), "restarted")
    assert not h.process_of("recorder")["last_exit"] or h.process_of("recorder")[
        "last_exit"]["expected"]
    assert "operator-token" not in h.logs() + h.cli("config", "show").stdout


def test_loopback_details_are_for_who_names_it_so(hale):
    """A page elsewhere whose name was made to point to 127.0.0.1 must not read along."""
    h = begun(hale)
    assert h.get("/api/v1/components", headers={"Host": f"localhost:{h.port}"})[0] == 200
    assert h.get("/api/v1/components", headers={"Host": "evil.example"})[0] == 401
    assert h.get("/api/v1/reload", method="POST")[0] == 401  # reading only


def test_commands(hale):
    h = begun(hale)

    def post(path):
        code, body = h.get_json(path, method="POST", token="secret-token")
        return code, body
    assert post("/api/v1/processes/check.null/stop")[0] == 200
    wait_for(lambda: h.process_of("check.null")["state"] == "stopped", "stopped")
    wait_for(lambda: h.get_json("/health/api")[1]["status"] == "unknown", "unknown")
    assert post("/api/v1/processes/check.null/start")[0] == 200
    wait_for(lambda: h.get_json("/health/api")[1]["status"] == "healthy", "healthy")
    assert post("/api/v1/processes/nobody/restart")[0] == 404
    assert post("/api/v1/processes/check.*/stop")[0] == 404  # one name is one process
    assert post("/api/v1/reload")[0] == 200
    h.allow("reload refused")
    h.write(COMPONENTS.replace("interval: 200ms", "intervall: 200ms", 1))
    code, body = post("/api/v1/reload")
    assert code == 409 and body["errorCode"] == "FAILED"
    assert "intervall" in json.dumps(body["details"])
    wait_for(lambda: "hale_config_last_reload_successful 0" in h.get("/metrics")[1], "told")
    assert h.get("/health")[0] == 200


def test_what_is_not_there(hale):
    h = begun(hale)
    code, body = h.get_json("/nowhere")
    assert code == 404 and body["errorCode"] == "NOT_FOUND" and body["success"] is False
    code, text, headers = h.get("/health", method="DELETE")
    assert code == 405 and "GET" in headers["Allow"]
    assert h.get("/api/v1/reload", token="secret-token")[0] == 405
    code, text, headers = h.get("/health", method="HEAD")
    assert code == 200 and text == "" and int(headers["Content-Length"]) > 0
    code, routes = h.get_json("/api/v1/routes")
    assert {"/health", "/metrics", "/api/v1/stream"} <= {r["path"] for r in routes["routes"]}


# ---- the page ----

def test_the_page_needs_nothing_from_elsewhere(hale):
    h = begun(hale)
    code, page, headers = h.get("/")
    assert code == 200 and headers["Content-Type"].startswith("text/html")
    csp = headers["Content-Security-Policy"]
    assert "default-src 'none'" in csp and "script-src 'self'" in csp and "unsafe" not in csp
    assert "frame-ancestors 'none'" in csp
    used = re.findall(r'(?:src|href)="(/ui/[^"]+)"', page)
    assert used
    text = page
    for path in used:
        code, body, _ = h.get(path)
        assert code == 200 and body, path
        text += body
    # The name of the SVG language is no place to fetch from.
    foreign = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)) - {
        "http://www.w3.org"}
    assert not foreign, foreign
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|style=\"|javascript:", page)
    for path in ("/ui/nothing.js", "/ui/..%2f..%2fhale.yaml", "/ui/%2e%2e/x", "/ui/"):
        assert h.get(path)[0] == 404, path
    rq = urllib.request.Request(f"http://127.0.0.1:{h.port}/",
                                headers={"If-None-Match": headers["ETag"]})
    try:
        code = urllib.request.urlopen(rq, timeout=DEADLINE).status
    except urllib.error.HTTPError as e:
        code = e.code
    assert code == 304


# ---- the stream ----

class WebSocket:
    """As little of RFC 6455 as a client needs."""

    def __init__(self, port, headers=()):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /api/v1/stream HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket",
                 "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
                 *headers]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            name, value = line.decode().split(": ", 1)
            self.headers[name.lower()] = value
        if self.status == 101:
            guid = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            assert self.headers["sec-websocket-accept"] == base64.b64encode(
                hashlib.sha1(guid.encode()).digest()).decode()

    def send(self, payload, opcode=1):
        mask = os.urandom(4)
        head = bytes([0x80 | opcode])
        n = len(payload)
        head += bytes([0x80 | n]) if n < 126 else bytes([0x80 | 126]) + struct.pack(">H", n)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def receive(self):
        """(opcode, payload), answering pings."""
        while True:
            head = self.file.read(2)
            assert len(head) == 2, "the connection ended without a close frame"
            n = head[1]
            assert n < 128, "a server must not mask"
            if n == 126:
                n = struct.unpack(">H", self.file.read(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self.file.read(8))[0]
            payload = self.file.read(n)
            if head[0] & 15 == 9:
                self.send(payload, 10)
            else:
                assert head[0] & 0x80, "fragments are not needed"
                return head[0] & 15, payload

    def event(self):
        opcode, payload = self.receive()
        assert opcode == 1, (opcode, payload)
        return json.loads(payload)

    def close_code(self):
        while True:
            opcode, payload = self.receive()
            if opcode == 8:
                return struct.unpack(">H", payload[:2])[0]

    def close(self):
        self.file.close()
        self.socket.close()


def test_the_stream_is_a_snapshot_and_then_every_change(hale):
    h = begun(hale)
    with contextlib.closing(WebSocket(h.port)) as ws:
        first = ws.event()
        assert first["event"] == "snapshot"
        assert {"api", "db"} <= {c["id"] for c in first["data"]["components"]}
        assert first["data"]["status"] == "healthy" and first["data"]["processes"]
        seq = first["seq"]
        tell(h, "db", "fail disk full")
        seen = []
        while not any(e["data"].get("state", {}).get("status") == "critical" for e in seen):
            e = ws.event()
            assert e["seq"] == seq + 1, (e["seq"], seq)
            seq = e["seq"]
            seen.append(e)
        last = seen[-1]
        assert last["event"] == "health:update" and last["data"]["component"] == "db"
        assert last["data"]["transition"] and last["data"]["previous"] == "healthy"
        assert last["data"]["overall"]["status"] == "critical"
        h.cli("restart", "recorder", check=True)
        while True:
            e = ws.event()
            assert e["seq"] == seq + 1
            seq = e["seq"]
            if e["event"] == "process:update" and e["data"]["event"] == "ready":
                break
        # What it does not understand it says, and goes on.
        ws.send(b"[1, 2")
        while (e := ws.event())["event"] != "error":
            pass
        assert "JSON" in e["data"]["error"]
        ws.send(struct.pack(">H", 1000), 8)
        assert ws.close_code() == 1000
    assert "hale_web_stream_clients 0" in wait_for(
        lambda: (lambda t: t if "hale_web_stream_clients 0\n" in t else None)(
            h.get("/metrics")[1]), "the client is gone")


def test_the_stream_asks_for_a_token(hale):
    h = begun(hale, PRIVATE)
    with contextlib.closing(WebSocket(h.port, ["Authorization: Bearer viewer-token"])) as ws:
        assert ws.event()["event"] == "snapshot"
    with contextlib.closing(WebSocket(h.port, ["Authorization: Bearer wrong"])) as ws:
        assert ws.status == 401
    with contextlib.closing(WebSocket(h.port)) as ws:  # as a browser does it
        ws.send(json.dumps({"event": "auth", "token": "viewer-token"}).encode())
        assert ws.event()["event"] == "snapshot"
    for text in (b'{"event":"auth","token":"wrong"}', b'{"event":"hello"}'):
        with contextlib.closing(WebSocket(h.port)) as ws:
            ws.send(text)
            assert ws.close_code() == 1008
    with contextlib.closing(WebSocket(h.port)) as ws:  # says nothing
        assert ws.close_code() == 1008


def test_the_stream_refuses_what_is_no_websocket(hale):
    h = begun(hale)
    code, body = h.get_json("/api/v1/stream")
    assert code == 426 and body["errorCode"] == "UPGRADE_REQUIRED"
    with contextlib.closing(WebSocket(h.port, ["Origin: https://evil.example"])) as ws:
        assert ws.status == 403
    with contextlib.closing(WebSocket(h.port, [f"Origin: http://127.0.0.1:{h.port}"])) as ws:
        assert ws.event()["event"] == "snapshot"
        ws.send(b"x" * 9000)
        assert ws.close_code() == 1009
    with contextlib.closing(WebSocket(h.port)) as ws:
        ws.send(b"\x00\x01", 2)
        assert ws.close_code() == 1003
    with contextlib.closing(WebSocket(h.port)) as ws:
        ws.send(b'{"event": "\xff\xfe"}')
        assert ws.close_code() == 1007


def test_a_stopping_web_says_goodbye(hale):
    h = begun(hale)
    with contextlib.closing(WebSocket(h.port)) as ws:
        assert ws.event()["event"] == "snapshot"
        h.cli("restart", "web", "--no-wait", check=True)
        assert ws.close_code() == 1001
    wait_for(lambda: h.get("/readyz")[0] == 200, "it is back")


# ---- doubtful requests ----

def raw(port, text):
    """(status, whether the connection was closed) of bytes sent as they are."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as s:
        s.sendall(text)
        got, is_closed = b"", False
        with contextlib.suppress(ConnectionResetError):
            while not (b"\r\n\r\n" in got and b"Connection: close" not in got):
                part = s.recv(65536)
                got += part
                if not part:
                    break
            else:  # it says that it stays
                return int(got.split()[1]), False
        is_closed = True
        assert got.count(b"HTTP/1.1 200") < 2, "one request, two answers"
        return int(got.split()[1]) if got else None, is_closed


def test_requests_of_doubtful_framing_are_refused(hale):
    h = begun(hale)
    host = f"Host: 127.0.0.1:{h.port}\r\n"
    post = "POST /api/v1/reload HTTP/1.1\r\n" + host + "Authorization: Bearer secret-token\r\n"
    smuggled = "GET /livez HTTP/1.1\r\n" + host + "\r\n"
    since = h.status()["config"]["loaded_at"]
    for headers, body in (
            ("Content-Length: 5\r\nContent-Length: 6\r\n", "hello" + smuggled),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", "hello" + smuggled),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + smuggled),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
            ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            ("Content-Length: +5\r\n", "hello"),
            ("Content-Length: -5\r\n", "hello"),
            ("Content-Length: 0x5\r\n", "hello"),
            ("Content-Length: 5, 5\r\n", "hello" + smuggled),
            ("Content-Length : 5\r\n", "hello" + smuggled),
            (host, "")):
        code, is_closed = raw(h.port, (post + headers + "\r\n" + body).encode())
        # No answer at all is a refusal too.
        assert code in (400, None) and is_closed, (headers, code, is_closed)
    assert h.status()["config"]["loaded_at"] == since, "a doubtful request was carried out"
    assert raw(h.port, b"nonsense\r\n\r\n")[0] in (400, None)
    assert raw(h.port, ("GET /livez HTTP/1.1\r\n" + host + "X: " + "y" * 40000 +
                        "\r\n\r\n").encode())[0] in (431, None)
    code, _ = raw(h.port, (post + "Content-Length: 110000\r\n\r\n").encode() + b"x" * 110000)
    assert code == 413
    assert raw(h.port, smuggled.encode()) == (200, False)  # an honest one may stay
    assert "hale_web_refused_total" in h.get("/metrics")[1]


def test_listens_where_it_is_told(hale):
    other = free_port()
    h = begun(hale, f"web:\n  listen:\n    - {{address: '127.0.0.1:@PORT@', public_details: true}}\n"
              f"    - {{address: 'localhost:{other}'}}\n")
    with urllib.request.urlopen(f"http://localhost:{other}/health", timeout=DEADLINE) as r:
        assert set(json.load(r)) == {"status", "timestamp"}
    assert "components" in h.get_json("/health")[1]
