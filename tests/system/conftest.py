# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: a hale of their own, real servers, and nothing left behind."""
import contextlib
import glob
import http.server
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

BIN = os.environ.get("HALE_BIN", os.path.join(os.path.dirname(__file__), "../../build/release/bin"))
# Sanitizer builds are several times slower; a deadline is how long a test waits before it gives up,
# never how long it takes.
DEADLINE = 60 if os.environ.get("HALE_SANITIZED") else 30
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer|panic:")


def wait_for(predicate, what, deadline=DEADLINE):
    """Calls predicate until it returns something true, and returns that."""
    end = time.monotonic() + deadline
    last = None
    while time.monotonic() < end:
        try:
            last = predicate()
            if last:
                return last
        except (AssertionError, KeyError, IndexError, OSError, ValueError) as e:
            last = e
        threading.Event().wait(0.02)
    raise AssertionError(f"not within {deadline} s: {what} (last: {last!r})")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Hale:
    """One installation in a directory of its own, under /tmp so that socket paths are short."""

    def __init__(self, config=None):
        self.dir = tempfile.mkdtemp(prefix="hale-t", dir="/tmp")
        self.run_dir = os.path.join(self.dir, "run")
        self.state_dir = os.path.join(self.dir, "state")
        self.config_path = os.path.join(self.dir, "hale.yaml")
        self.log_path = os.path.join(self.dir, "log")
        self.port = free_port()
        self.process = None
        self.allowed = []
        self.env = {}
        self.user = {}  # of Popen, to run it as somebody else
        self.seen_pids = set()
        if config is not None:
            self.write(config)

    # -- configuration --
    def write(self, config):
        """config: YAML text; @PORT@ is the web port, @DIR@ this directory."""
        if "\nweb:" not in "\n" + config:
            config += ("\nweb: {listen: [{address: '127.0.0.1:@PORT@', public_details: true}],"
                       " tokens: [{name: test, token: secret-token, role: admin}]}\n")
        text = config.replace("@PORT@", str(self.port)).replace("@DIR@", self.dir)
        with open(self.config_path, "w") as f:
            f.write(text)

    # -- life --
    def start(self, ready=True):
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [f"{BIN}/haled", "--config", self.config_path, "--run-dir", self.run_dir,
             "--state-dir", self.state_dir],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, "HALE_LOG_LEVEL": "info", **self.env}, start_new_session=True,
            **self.user)
        self.log.close()
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"haled ended with {self.process.returncode}:\n{self.logs()}")
            status = self.status()
            return status["processes"] and all(
                p["state"] == "ready" for p in status["processes"] if p.get("enabled", True))
        wait_for(ready, "all processes ready")

    def stop(self):
        """Ends haled in order and returns its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.note_pids()
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE)
        self.process = None
        return code

    def kill(self):
        self.note_pids()
        self.process.kill()
        self.process.wait(DEADLINE)
        self.process = None

    def close(self):
        """Stops it and checks that nothing was left behind and nothing unexpected was logged."""
        code = self.stop()
        left = [p for p in self.seen_pids if is_alive(p) and "hale" in cmdline(p)]
        problems = self.problems()
        shutil.rmtree(self.dir)
        assert code in (0, None), f"haled ended with {code}\n{problems}"
        assert not left, f"processes left behind: {left}"
        assert not problems, "unexpected in the log:\n" + "\n".join(problems)

    # -- looking --
    def cli(self, *args, check=False, timeout=DEADLINE, input=None):
        r = subprocess.run([f"{BIN}/hale", "--run-dir", self.run_dir, *args], capture_output=True,
                           text=True, timeout=timeout, input=input)
        assert not SANITIZER.search(r.stderr), r.stderr
        if check:
            assert r.returncode == 0, f"hale {args}: {r.returncode}\n{r.stdout}{r.stderr}"
        return r

    def json(self, *args):
        r = self.cli("-o", "json", *args)
        assert r.stdout, f"hale {args}: {r.returncode} {r.stderr}"
        return json.loads(r.stdout)

    def status(self):
        return self.json("status")

    def component(self, name):
        return next(c for c in self.status()["components"] if c["id"] == name)

    def process_of(self, name):
        return next(p for p in self.status()["processes"] if p["name"] == name)

    def wait_status(self, name, *wanted, deadline=DEADLINE):
        def reached():
            c = self.component(name)
            return c if c["status"] in wanted else None
        return wait_for(reached, f"{name} {wanted}", deadline)

    def note_pids(self):
        with contextlib.suppress(Exception):
            self.seen_pids |= {p["pid"] for p in self.status()["processes"] if p["pid"]}

    def logs(self):
        with contextlib.suppress(OSError):
            with open(self.log_path) as f:
                return f.read()
        return ""

    def allow(self, *patterns):
        """Warnings this test provokes on purpose (regular expressions)."""
        self.allowed += patterns

    def problems(self):
        found = []
        for line in self.logs().splitlines():
            if SANITIZER.search(line):
                found.append(line)
            elif re.search(r"^\S+ (warn|error|fatal) ", line) and not any(
                    re.search(p, line) for p in self.allowed):
                found.append(line)
        return found

    def get(self, path, method="GET", token=None, body=None, headers=None):
        """(status, body text, headers) of this hale's web."""
        import urllib.error
        import urllib.request
        rq = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, data=body,
                                    headers=headers or {})
        if token:
            rq.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(rq, timeout=DEADLINE) as r:
                return r.status, r.read().decode(), dict(r.headers)
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode(), dict(e.headers)

    def get_json(self, path, **kw):
        code, text, _ = self.get(path, **kw)
        return code, json.loads(text)


class Rpc:
    """A command to one process, as a shell with socat would give it (docs/bus.md)."""

    def __init__(self, hale, process):
        self.path = f"{hale.run_dir}/{process}.ipc"

    def ask(self, method, **params):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(DEADLINE)
            s.connect(self.path)
            rq = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            s.sendall(json.dumps(rq).encode() + b"\n")
            with s.makefile("rb") as f:
                return json.loads(f.readline())

    def call(self, method, **params):
        answer = self.ask(method, **params)
        assert "result" in answer, f"{method}: {answer}"
        return answer["result"]


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as f:
            return f.read()
    except OSError:
        return ""


@pytest.fixture
def hale(request):
    """A factory: hale(config) gives a started one; all are stopped and checked at the end."""
    made = []
    # Whom it tells must be there until it is gone: what is made first is closed last.
    if "sink" in request.fixturenames:
        request.getfixturevalue("sink")

    def make(config, start=True):
        h = Hale(config)
        made.append(h)
        return h.start() if start else h

    yield make
    errors = []
    for h in made:
        try:
            h.close()
        except BaseException as e:  # all must be stopped, whatever one says
            errors.append(e)
    if errors:
        raise errors[0]


# ---- real servers ----

class Sink:
    """An HTTP server that records what it is sent, and answers what it is told."""

    def __init__(self):
        sink = self
        self.requests = []
        self.answer = lambda path, n: (200, b'{"ok":true}')
        self.lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: 40 ms apart otherwise

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                with sink.lock:
                    sink.requests.append({
                        "method": self.command, "path": self.path, "headers": dict(self.headers),
                        "body": body, "time": time.monotonic()})
                    n = len(sink.requests)
                answer = sink.answer(self.path, n)
                code, payload = answer[0], answer[1]
                self.send_response(code)
                for k, v in (answer[2] if len(answer) > 2 else {}).items():
                    self.send_header(k, v)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request, client_address):
                pass  # a client that was killed on purpose

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def bodies(self):
        with self.lock:
            return [json.loads(r["body"]) for r in self.requests if r["body"]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def sink():
    s = Sink()
    yield s
    s.close()


class BlackHole:
    """Accepts connections and never answers."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(512)
        self.port = self.socket.getsockname()[1]
        self.open = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                self.open.append(self.socket.accept()[0])

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for s in self.open:
            s.close()


@pytest.fixture
def black_hole():
    b = BlackHole()
    yield b
    b.close()


def unprivileged():
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Postgres:
    """A real PostgreSQL on a socket and a loopback port of its own."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        assert found, "PostgreSQL is a test dependency: scripts/install-packages test"
        self.bin = os.path.dirname(found[-1])
        self.dir = tempfile.mkdtemp(prefix="hale-pg", dir="/tmp")
        self.port = free_port()
        self.as_user = unprivileged()
        if self.as_user:
            os.chown(self.dir, self.as_user["user"], self.as_user["group"])
        self.run("initdb", "-D", f"{self.dir}/data", "-A", "trust", "-U", "hale", "--no-sync",
                 "-E", "UTF8", "--locale=C.UTF-8")
        self.process = None
        self.start()
        self.dsn = f"host=127.0.0.1 port={self.port} user=hale dbname=postgres"

    def run(self, program, *args):
        r = subprocess.run([f"{self.bin}/{program}", *args], capture_output=True, text=True,
                           cwd=self.dir, env={"PATH": os.environ["PATH"], "HOME": self.dir},
                           **self.as_user)
        assert r.returncode == 0, f"{program}: {r.stdout}{r.stderr}"
        return r.stdout

    def start(self):
        self.log = open("/dev/null", "wb")
        self.process = subprocess.Popen(
            [f"{self.bin}/postgres", "-D", f"{self.dir}/data", "-k", self.dir, "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
            stdout=self.log, stderr=self.log, cwd=self.dir, **self.as_user)
        wait_for(lambda: subprocess.run(
            [f"{self.bin}/pg_isready", "-h", self.dir, "-p", str(self.port)],
            capture_output=True).returncode == 0, "PostgreSQL ready")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(DEADLINE)
            self.process = None
            self.log.close()

    def sql(self, text, *args):
        """Rows as lists of strings."""
        out = self.run("psql", "-h", self.dir, "-p", str(self.port), "-U", "hale", "-d", "postgres",
                       "-AtqX", "-v", "ON_ERROR_STOP=1", "-F", "\t", "-c", text, *args)
        return [line.split("\t") for line in out.splitlines()]

    def close(self):
        self.stop()
        shutil.rmtree(self.dir)


@pytest.fixture(scope="session")
def postgres():
    p = Postgres()
    yield p
    p.close()


class Nginx:
    """A real nginx that serves one directory."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hale-ng", dir="/tmp")
        self.port = free_port()
        self.root = os.path.join(self.dir, "www")
        os.makedirs(self.root)
        os.chmod(self.dir, 0o755)
        with open(f"{self.dir}/nginx.conf", "w") as f:
            f.write(f"""
daemon off; pid {self.dir}/pid; error_log /dev/null; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {self.dir}/t1; proxy_temp_path {self.dir}/t2; fastcgi_temp_path {self.dir}/t3;
  uwsgi_temp_path {self.dir}/t4; scgi_temp_path {self.dir}/t5;
  server {{ listen 127.0.0.1:{self.port}; root {self.root}; default_type application/json;
    location = /fail {{ return 500 'broken'; }} location = /limited {{ return 429; }}
    location = /private {{ return 401; }} location = /moved {{ return 302 /ok.json; }} }}
}}
""")
        with open(f"{self.root}/ok.json", "w") as f:
            f.write('{"status":"ok","positions":[{"symbol":"AAPL"},{"symbol":"MSFT"}]}')
        self.start()

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", f"{self.dir}/nginx.conf", "-p",
                                         self.dir, "-e", "/dev/null"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

        def up():
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        wait_for(up, "nginx up")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.dir)


@pytest.fixture
def nginx():
    n = Nginx()
    yield n
    n.close()
