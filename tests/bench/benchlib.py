# SPDX-License-Identifier: Apache-2.0
"""Shared parts of the benchmark harness (Python standard library only).

Nothing here knows a particular program under test: that is in peers/NAME.py.
CPU time is read from a cgroup of the run's own (v1 cpuacct or v2 cpu.stat), so
it includes children that have come and gone; where no cgroup can be made, it
is summed from /proc (utime+stime+cutime+cstime), which says so in `cpu_source`.
"""
import contextlib, http.server, importlib.util, json, mmap, os, pathlib, random, re
import shutil, signal, socket, statistics, struct, subprocess, sys, tempfile, threading, time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SCRATCH = pathlib.Path(os.environ.get("BENCH_SCRATCH", tempfile.gettempdir() + "/bench"))
RESULTS = pathlib.Path(os.environ.get("BENCH_RESULTS", SCRATCH / "results"))
PORT0 = int(os.environ.get("BENCH_PORT", "21000"))      # all ports lie in PORT0..PORT0+99
ADDR = "127.0.0.1"
P_NGINX, P_HOOK, P_PEER = PORT0, PORT0 + 1, PORT0 + 10
CLK = os.sysconf("SC_CLK_TCK")
signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))     # so that `finally` stops what was started


def say(*a):
    print(*a, file=sys.stderr, flush=True)


def fresh_dir(name, user=None):
    d = SCRATCH / name
    shutil.rmtree(d, ignore_errors=True)
    d.mkdir(parents=True)
    os.chmod(d, 0o755)
    if user:
        shutil.chown(d, user, user)
    return d


def which(*names):
    for n in names:
        p = shutil.which(n, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if p:
            return p
    return None


def output(argv):
    """What a program prints, or nothing if it will not."""
    r = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    return r.stdout.strip() if r.returncode == 0 else ""


# ---------------------------------------------------------------- cgroup
class Group:
    """The processes of one peer: started in one cgroup, counted, and ended together."""

    def __init__(self, name):
        self.name = f"bench-{name}-{os.getpid()}"
        self.path, self.kind = None, "proc"
        for base, kind in (("/sys/fs/cgroup/cpuacct", "v1"), ("/sys/fs/cgroup/unified", "v2"),
                           ("/sys/fs/cgroup", "v2")):
            f = "cgroup.procs"
            if not os.path.exists(f"{base}/{f}"):
                continue
            try:
                os.mkdir(f"{base}/{self.name}")
            except OSError:
                continue
            self.path, self.kind = pathlib.Path(base, self.name), kind
            break
        self.procs = []
        self.shared = mmap.mmap(-1, 4096)

    def exec_ns(self, i=0):
        """CLOCK_MONOTONIC just before the i-th popen's exec: the fork is not counted."""
        return struct.unpack_from("=q", self.shared, 8 * i)[0]

    def popen(self, argv, as_user=None, **kw):
        import pwd
        pw = pwd.getpwnam(as_user) if as_user else None
        procs = str(self.path / "cgroup.procs") if self.path else None

        def enter():
            os.setsid()
            if procs:
                with open(procs, "w") as f:
                    f.write("0")
            if pw:
                os.initgroups(as_user, pw.pw_gid)
                os.setgid(pw.pw_gid)
                os.setuid(pw.pw_uid)
            struct.pack_into("=q", self.shared, 8 * len(self.procs), time.monotonic_ns())
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.DEVNULL)
        kw.setdefault("stderr", subprocess.DEVNULL)
        p = subprocess.Popen([str(a) for a in argv], preexec_fn=enter, **kw)
        self.procs.append(p)
        return p

    def pids(self):
        if self.path:
            try:
                return [int(x) for x in (self.path / "cgroup.procs").read_text().split()]
            except OSError:
                return []
        out, todo = [], [p.pid for p in self.procs if p.poll() is None]
        while todo:
            pid = todo.pop()
            out.append(pid)
            with contextlib.suppress(OSError):
                for t in os.listdir(f"/proc/{pid}/task"):
                    todo += [int(x) for x in open(f"/proc/{pid}/task/{t}/children").read().split()]
        return out

    def cpu_s(self):
        """CPU seconds used since the group was made, ended children included."""
        if self.kind == "v1":
            return int((self.path / "cpuacct.usage").read_text()) / 1e9
        if self.kind == "v2":
            for l in (self.path / "cpu.stat").read_text().splitlines():
                if l.startswith("usage_usec"):
                    return int(l.split()[1]) / 1e6
        t = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                f = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
                t += sum(int(x) for x in f[11:15])
        return t / CLK

    def switches(self):
        """Times that a thread of the group went to sleep of its own will: its wake-ups."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for t in os.listdir(f"/proc/{pid}/task"):
                    text = open(f"/proc/{pid}/task/{t}/status").read()
                    total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])
        return total

    def mem(self, skip=(), only=None):
        """{pss_kb, rss_kb, procs, threads} summed over the group's processes."""
        m = dict(pss_kb=0, rss_kb=0, procs=0, threads=0)
        for pid in self.pids():
            try:
                comm = open(f"/proc/{pid}/comm").read().strip()
                if comm in skip or only and comm != only:
                    continue
                roll = open(f"/proc/{pid}/smaps_rollup").read()
                m["pss_kb"] += int(re.search(r"^Pss:\s+(\d+)", roll, re.M)[1])
                m["rss_kb"] += int(re.search(r"^Rss:\s+(\d+)", roll, re.M)[1])
                m["threads"] += len(os.listdir(f"/proc/{pid}/task"))
                m["procs"] += 1
            except (OSError, TypeError):
                continue
        return m

    def stop(self, grace=8.0):
        for p in self.procs:
            if p.poll() is None:
                with contextlib.suppress(OSError):
                    p.terminate()
        end, told = time.time() + grace, False
        while time.time() < end and self.pids():
            if not [p for p in self.procs if p.poll() is None] and not told:
                told, end = True, time.time() + 2       # what was started is gone: end what it left behind
                for pid in self.pids():
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGTERM)
            time.sleep(0.05)
        for _ in range(40):
            left = self.pids()
            if not left:
                break
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for p in self.procs:
                p.poll()
            time.sleep(0.05)
        for p in self.procs:
            with contextlib.suppress(Exception):
                p.wait(2)
        if self.path:
            for _ in range(20):
                try:
                    os.rmdir(self.path)
                    break
                except OSError:
                    time.sleep(0.05)


# ---------------------------------------------------------------- target
class Nginx:
    """The target: /c/I answers 200 with a small JSON, or 500 while the file `down` exists."""

    def __init__(self, name="target", port=P_NGINX, static=None):
        with contextlib.suppress(OSError):
            socket.create_connection((ADDR, port), 0.5).close()
            sys.exit(f"port {port} is already served by something else: set BENCH_PORT")
        self.dir, self.port = fresh_dir(name), port
        self.log = self.dir / "access.log"
        self.down = self.dir / "down"
        self.group = Group(name)
        (self.dir / "www").mkdir()
        for fn, size in (static or {}).items():
            (self.dir / "www" / fn).write_bytes(b'{"k":"' + b"x" * (size - 9) + b'"}\n')
        conf = self.dir / "nginx.conf"
        conf.write_text(f"""
worker_processes 1; daemon off; pid {self.dir}/pid; error_log {self.dir}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off; default_type application/json; keepalive_requests 100000000;
  log_format t '$msec $status $request_uri';
  client_body_temp_path {self.dir}/b; proxy_temp_path {self.dir}/p;
  fastcgi_temp_path {self.dir}/f; uwsgi_temp_path {self.dir}/u; scgi_temp_path {self.dir}/s;
  server {{
    listen {ADDR}:{port} backlog=4096;
    root {self.dir}/www;
    location /c/ {{
      access_log {self.log} t;
      if (-f {self.down}) {{ return 500 '{{"status":"down"}}'; }}
      return 200 '{{"status":"ok","version":"1.2.3","uptime":86400,"checks":{{"db":"ok","cache":"ok","queue":"ok"}}}}';
    }}
    location /plain {{ return 200 '{{"status":"ok","version":"1.2.3","uptime":86400,"checks":{{"db":"ok","cache":"ok","queue":"ok"}}}}'; }}
  }}
}}
""")
        self.group.popen([which("nginx"), "-c", conf, "-p", self.dir],
                         stderr=open(self.dir / "stderr", "w"))
        wait_port(port)

    def urls(self, n):
        return [f"http://{ADDR}:{self.port}/c/{i}" for i in range(n)]

    def hits(self, t0, t1):
        """Requests served with t0 <= time < t1 (wall clock), as (time, status, uri)."""
        out = []
        with contextlib.suppress(OSError):
            for l in open(self.log):
                f = l.split()
                if len(f) == 3 and t0 <= float(f[0]) < t1:
                    out.append((float(f[0]), int(f[1]), f[2]))
        return out

    def stop(self):
        self.group.stop()


def wait_port(port, host=ADDR, timeout=60.0, group=None):
    end = time.time() + timeout
    while time.time() < end:
        with contextlib.suppress(OSError):
            socket.create_connection((host, port), 0.5).close()
            return True
        time.sleep(0.002)
    raise RuntimeError(f"port {port} did not open in {timeout} s")


def http_get(url, timeout=2.0, headers=None):
    """(status, body) or (0, error)"""
    import ssl
    ctx = ssl._create_unverified_context() if url.startswith("https") else None
    try:
        r = urllib.request.Request(url, headers=headers or {})
        with urllib.request.urlopen(r, timeout=timeout, context=ctx) as a:
            return a.status, a.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()
    except Exception as e:
        return 0, str(e).encode()


class Hook:
    """A webhook receiver: records the time each POST's headers arrived, and its body."""

    def __init__(self, port=P_HOOK):
        self.got = []
        outer = self

        class H(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                t = time.time()
                n = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(n)
                outer.got.append((t, body.decode("utf8", "replace")))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
            do_GET = do_POST

            def log_message(self, *a):
                pass
        self.srv = http.server.ThreadingHTTPServer((ADDR, port), H)
        self.url = f"http://{ADDR}:{port}/hook"
        threading.Thread(target=self.srv.serve_forever, daemon=True).start()

    def first_after(self, t, match, timeout):
        end = time.time() + timeout
        while time.time() < end:
            for (a, b) in list(self.got):
                if a >= t and match(b):
                    return a
            time.sleep(0.005)
        return None

    def stop(self):
        self.srv.shutdown()
        self.srv.server_close()


# ---------------------------------------------------------------- peers
class Peer:
    """What a peer is to the harness. A peer implements the parts it can do; a part it
    leaves out (None / NotImplementedError) is skipped for it. See peers/README.md."""
    name = "?"
    package = None          # Debian package whose version is reported
    min_interval = None     # text: the shortest check interval the peer accepts
    user = None             # its files belong to this user, if it drops privileges

    def __init__(self):
        self.dir = None
        self.group = None

    def available(self):
        return True

    def version(self):
        if not self.package:
            return ""
        r = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", self.package],
                           capture_output=True, text=True)
        return r.stdout.strip()

    def begin(self, tag):
        self.dir = fresh_dir(f"peer-{self.name}-{tag}", self.user)
        self.group = Group(f"{self.name}-{tag}")

    # B1, B7: run a check of each URL every `interval` seconds; hook: where alerts go
    def start_checks(self, urls, interval, hook=None, preset="fast"):
        raise NotImplementedError

    # B7: True once the peer says it is ready (its own port or file)
    def ready(self):
        raise NotImplementedError

    # B2: keep `argv` running
    def start_supervise(self, argv):
        raise NotImplementedError

    # B9: keep all of them running
    def start_many(self, argvs):
        raise NotImplementedError

    supervisor_comm = None  # the supervisor's own process, where it is one of several

    # B3: does this webhook body announce the problem (not the recovery)?
    def is_alert(self, body):
        return True

    # B4: {label: url} of the status pages, served while start_checks runs
    def status_urls(self):
        return {}

    status_headers = {}

    def prepare_status(self):
        pass

    def stop(self):
        if self.group:
            self.group.stop()
            self.group = None


def load_peers(names=None):
    """peers/*.py in order; each defines PEERS, a list of Peer classes."""
    all_ = {}
    for f in sorted((HERE / "peers").glob("*.py")):
        spec = importlib.util.spec_from_file_location("peer_" + f.stem, f)
        m = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(m)
        for c in m.PEERS:
            all_[c.name] = c
    if names:
        for n in names:
            if n not in all_:
                sys.exit(f"no peer {n}; there are: {' '.join(all_)}")
        return [all_[n]() for n in names]
    return [c() for c in all_.values()]


def can(peer, method):
    return getattr(type(peer), method) is not getattr(Peer, method) and peer.available()


def pkg(name):
    """pkg-config's flags for one of the C programs"""
    return subprocess.run(["pkg-config", "--cflags", "--libs", name], check=True, capture_output=True, text=True).stdout.split()


def cc(src, out=None, libs=(), static=False):
    """Compile one of c/*.c into the scratch folder; returns the program's path."""
    d = SCRATCH / "bin"
    d.mkdir(parents=True, exist_ok=True)
    o = d / (out or pathlib.Path(src).stem)
    s = HERE / "c" / src
    if not o.exists() or o.stat().st_mtime < s.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", str(o), str(s)]
                       + (["-static"] if static else []) + list(libs), check=True)
    return o


class Fifo:
    """Where c/child.c reports: (pid, CLOCK_MONOTONIC ns) of each child's first act."""

    def __init__(self, path):
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.buf = b""

    def get(self, timeout):
        import select
        end = time.monotonic() + timeout
        while True:
            if len(self.buf) >= 16:
                r, self.buf = struct.unpack("=qq", self.buf[:16]), self.buf[16:]
                return r
            left = end - time.monotonic()
            if left <= 0:
                return None
            if select.select([self.fd], [], [], left)[0]:
                self.buf += os.read(self.fd, 65536)

    def close(self):
        os.close(self.fd)


# ---------------------------------------------------------------- figures
def med(v):
    v = [x for x in v if x is not None]
    return statistics.median(v) if v else None


def spread(v, f="{:.2f}"):
    v = sorted(x for x in v if x is not None)
    if not v:
        return "-"
    g = lambda x: f.format(x)
    return f"{g(statistics.median(v))} ({g(v[0])}..{g(v[-1])})"


def pct(v, p):
    v = sorted(v)
    return v[min(len(v) - 1, int(round(p / 100 * (len(v) - 1))))] if v else None


def save(bench, rec):
    RESULTS.mkdir(parents=True, exist_ok=True)
    rec = dict(rec, when=time.strftime("%Y-%m-%d %H:%M:%S"))
    with open(RESULTS / f"{bench}.jsonl", "a") as f:
        f.write(json.dumps(rec) + "\n")
    say(bench, json.dumps(rec)[:600])


def wrk(url, conns=32, secs=5, headers=(), threads=1):
    """One wrk run: {rps, requests, errors, cpu_s: wrk's own CPU}"""
    g = Group("wrk")
    argv = [which("wrk"), f"-t{threads}", f"-c{conns}", f"-d{secs}s", "--latency"]
    for h in headers:
        argv += ["-H", h]
    p = g.popen(argv + [url], stdout=subprocess.PIPE, text=True)
    out, _ = p.communicate(timeout=secs + 30)
    cpu = g.cpu_s()
    g.stop()
    m = re.search(r"(\d+) requests in", out)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    sock = re.search(r"Socket errors: (.*)", out)
    p99 = re.search(r"99%\s+(\S+)", out)
    p50 = re.search(r"50%\s+(\S+)", out)
    return dict(requests=int(m[1]) if m else 0, bad=int(bad[1]) if bad else 0,
                sock=sock[1] if sock else "", cpu_s=cpu, p50=p50 and p50[1], p99=p99 and p99[1],
                rps=float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]) if m else 0.0)


# ---------------------------------------------------------------- PostgreSQL
class Pg:
    """A private PostgreSQL cluster in the scratch folder, its server in a cgroup of its own."""
    BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")

    def __init__(self, settings=None, port=PORT0 + 2, group=None, tag="pg"):
        self.dir, self.port = fresh_dir(tag, "postgres"), port
        self.dsn = f"host={self.dir} port={port} user=postgres dbname=postgres"
        subprocess.run([f"{self.BIN}/initdb", "-D", self.dir / "data", "-A", "trust", "-E", "UTF8", "--locale=C"],
                       check=True, user="postgres", group="postgres", cwd=self.dir, stdout=subprocess.DEVNULL)
        s = dict(listen_addresses="", unix_socket_directories=str(self.dir), port=port, shared_buffers="512MB",
                 max_wal_size="4GB", checkpoint_timeout="30min", autovacuum="off")
        s.update(settings or {})
        argv = [f"{self.BIN}/postgres", "-D", self.dir / "data"]
        for k, v in s.items():
            argv += ["-c", f"{k}={v}"]
        self.settings, self.group, self.shared = s, group or Group("pg"), bool(group)
        self.proc = self.group.popen(argv, as_user="postgres", cwd=self.dir, stderr=open(self.dir / "log", "w"))
        end = time.time() + 30
        while time.time() < end and subprocess.run([f"{self.BIN}/pg_isready", "-q", "-h", self.dir, "-p", str(port)]).returncode:
            time.sleep(0.05)

    def psql(self, sql, **kw):
        r = subprocess.run([f"{self.BIN}/psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.dir, "-p", str(self.port), "-U", "postgres"],
                           input=sql, text=True, capture_output=True, **kw)
        if r.returncode:
            raise RuntimeError(r.stderr)
        return r.stdout.strip()

    def timed(self, sql):
        """(server CPU s, wall s, output)"""
        c, t = self.group.cpu_s(), time.time()
        o = self.psql(sql)
        return self.group.cpu_s() - c, time.time() - t, o

    def stop(self):
        if self.group:
            with contextlib.suppress(Exception):
                self.proc.send_signal(signal.SIGINT)
                self.proc.wait(15)
            if not self.shared:
                self.group.stop()
            self.group = None


def run_json(argv, group="client"):
    """Run a C program that prints one JSON object; adds its own CPU as client_cpu_s."""
    g = Group(group)
    p = g.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    o, e = p.communicate(timeout=600)
    c = g.cpu_s()
    g.stop()
    if p.returncode:
        raise RuntimeError(f"{argv}: {p.returncode} {e}")
    return dict(json.loads(o), client_cpu_s=c)
