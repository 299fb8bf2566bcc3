# SPDX-License-Identifier: Apache-2.0
"""The bus: whatever happens to a subscriber, it has every line, or it is told how many it missed."""
import collections
import json
import os
import random
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

from conftest import BIN, DEADLINE, Rpc, is_alive, wait_for

DOCS = os.path.join(os.path.dirname(__file__), "../../docs/bus.md")
CRASH = [r"process ended unexpectedly", r"process is crash-looping"]
LOST = [r"lines were lost"]
BURST = 100_000
QUIET = "components: {quiet: {'null': {}, interval: 1h}}\n"
PUB, SUB = b"\0SP\0\0\x20\0\0", b"\0SP\0\0\x21\0\0"


def connected(path, timeout=DEADLINE):
    """A full queue of connections is waited for, which a socket with a timeout would not do."""
    s = socket.socket(socket.AF_UNIX)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", DEADLINE, 0))
    s.connect(path)
    s.settimeout(timeout)
    return s


class Wire:
    """One nng connection over a Unix socket, by hand (docs/bus.md)."""

    def __init__(self, path, hello=SUB, timeout=DEADLINE):
        self.socket = connected(path, timeout)
        self.socket.sendall(hello)
        self.file = self.socket.makefile("rb")
        self.hello = self.file.read(8)

    def send(self, message):
        self.socket.sendall(struct.pack(">BQ", 1, len(message)) + message)

    def receive(self):
        head = self.file.read(9)
        if len(head) < 9:
            return None
        return self.file.read(struct.unpack(">BQ", head)[1])

    def close(self):
        self.file.close()
        self.socket.close()


def parse(message):
    header, _, rest = message.decode().partition("\n")
    topic, epoch, first, count = header.split(" ")
    lines = rest.splitlines()
    assert len(lines) == int(count), message[:200]
    return topic, epoch, int(first), lines


class Publisher:
    """A child's end of results.ipc: an outbox, a window, and sending again what is not
    acknowledged."""
    WINDOW = 2000  # frames; haled's buffer takes 8192

    def __init__(self, h, service="burst", generation=1):
        self.epoch = f"{service}:{generation}"
        self.acks = Wire(f"{h.run_dir}/bus.ipc")
        self.wire = Wire(f"{h.run_dir}/results.ipc", PUB)
        assert (self.acks.hello, self.wire.hello) == (PUB, SUB)
        self.acked = 0
        self.next = 1
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while (message := self.acks.receive()) is not None:
            if message.startswith(b"sync "):
                acked = json.loads(parse(message)[3][0])["acks"].get(self.epoch, 0)
                with self.changed:
                    self.acked = max(self.acked, acked)
                    self.changed.notify_all()

    def publish(self, frames):
        """frames: lists of lines; all of them are with haled when this returns."""
        starts, texts, seq = [], [], self.next
        for topic, lines in frames:
            starts.append(seq)
            text = f"{topic} {self.epoch} {seq} {len(lines)}\n" + "".join(x + "\n" for x in lines)
            texts.append(text.encode())
            seq += len(lines)
        self.next = seq
        last, at, base = seq - 1, 0, 0
        deadline = time.monotonic() + 4 * DEADLINE
        while self.acked < last:
            assert time.monotonic() < deadline, f"haled has {self.acked} of {last}"
            while base < len(starts) and starts[base] + len(frames[base][1]) - 1 <= self.acked:
                base += 1
            at = max(at, base)
            while at < len(texts) and at - base < self.WINDOW:
                self.wire.send(texts[at])
                at += 1
            with self.changed:
                before = self.acked
                self.changed.wait_for(lambda: self.acked > before, 0.5)
                if self.acked == before:
                    at = base

    def close(self):
        for w in (self.acks, self.wire):
            w.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(DEADLINE)
        self.acks.close()
        self.wire.close()


def event_line(n, padding=""):
    return json.dumps({"at": "2026-11-22T01:30:37.123Z", "node": "t", "kind": "burst",
                       "severity": "info", "subject": "test", "message": str(n),
                       "details": {"padding": padding}})


def burst(n, per_frame=1, padding=""):
    return [("event", [event_line(i, padding) for i in range(at, min(at + per_frame, n))])
            for at in range(0, n, per_frame)]


class Follower:
    """A subscriber that lives by docs/bus.md: follows the numbers and asks for what it missed."""

    def __init__(self, h, cursor=None):
        self.h = h
        self.epoch, self.seq = cursor or self.now()
        self.seen = collections.Counter()  # of the burst's lines, by message
        self.lines = self.gaps = self.snapshots = 0
        self.lost = 0
        self.is_reading = threading.Event()
        self.is_reading.set()
        self.wire = Wire(f"{h.run_dir}/bus.ipc", timeout=None)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def now(self):
        pong = Rpc(self.h, "haled").call("ping")
        return pong["epoch"], pong["head"]

    def run(self):
        self.replay()  # what was said until the connection stood
        while (message := self.wire.receive()) is not None:
            self.is_reading.wait()
            topic, epoch, first, lines = parse(message)
            if topic == "sync":
                if first > self.seq:
                    self.replay()
            elif epoch != self.epoch or first > self.seq + 1:
                self.gaps += 1
                self.replay()
                self.take(topic, epoch, first, lines)
            else:
                self.take(topic, epoch, first, lines)

    def take(self, topic, epoch, first, lines):
        for seq, line in enumerate(lines, first):
            if epoch == self.epoch and seq <= self.seq:
                continue
            self.epoch, self.seq = epoch, seq
            self.lines += 1
            line = json.loads(line)
            if line.get("kind") == "burst":
                self.seen[line["message"]] += 1

    def replay(self):
        more = True
        while more:
            a = Rpc(self.h, "haled").call("bus.replay", epoch=self.epoch, after=self.seq,
                                          name="follower")
            if "snapshot" in a:
                self.snapshots += 1
                self.lost += a["head"] - self.seq
                self.epoch, self.seq = a["epoch"], a["head"]
                return
            for text in a["frames"]:
                self.take(*parse(text.encode()))
            more = a["more"]

    def close(self):
        self.is_reading.set()
        self.wire.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(DEADLINE)
        self.wire.close()


def head(h):
    return Rpc(h, "haled").call("ping")["head"]


def bus(h):
    return Rpc(h, "haled").call("status")["bus"]


def stored(h, what="count(*), count(DISTINCT message)"):
    con = sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True, timeout=DEADLINE)
    try:
        return con.execute(f"SELECT {what} FROM events WHERE kind = 'burst'").fetchone()
    finally:
        con.close()


def cursor_seq(h):
    return Rpc(h, "recorder").call("store.status")["cursor"]["seq"]


def wait_recorded(h):
    """The recorder has committed everything up to now."""
    end = head(h)
    wait_for(lambda: cursor_seq(h) >= end, "everything recorded", 4 * DEADLINE)


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def pid_of(h, name):
    return h.process_of(name)["pid"]


# ---- bursts ----

def test_a_burst_reaches_recorder_and_subscribers_whole(hale):
    h = hale(QUIET)
    f, late, p = Follower(h), None, Publisher(h)
    try:
        p.publish(burst(BURST, per_frame=10))
        late = Follower(h, cursor=(f.epoch, 0))  # everything there is, after the event
        end = head(h)
        wait_for(lambda: f.seq >= end and late.seq >= end, "followers", 4 * DEADLINE)
        assert len(f.seen) == len(late.seen) == BURST
        assert set(f.seen.values()) == set(late.seen.values()) == {1}
        wait_recorded(h)
        assert stored(h) == (BURST, BURST)
        b = bus(h)
        assert (b["lost"], b["missed"], b["garbage"], b["losses"]) == (0, 0, 0, [])
    finally:
        for x in (f, late, p):
            if x:
                x.close()


def test_subscribers_killed_in_a_burst_miss_nothing(hale):
    h = hale(QUIET)
    h.allow(*CRASH)
    f, p = Follower(h), Publisher(h)
    victims = ["recorder", "notifier", "web"]
    pids = {v: pid_of(h, v) for v in victims}
    try:
        t = threading.Thread(target=p.publish, args=(burst(BURST, per_frame=5),))
        t.start()
        for share, victim in zip((0.2, 0.4, 0.6), victims):
            wait_for(lambda: p.acked > share * BURST, "burst on its way")
            os.kill(pids[victim], signal.SIGKILL)
        t.join(4 * DEADLINE)
        assert not t.is_alive()
        for v in victims:
            wait_for(lambda: h.process_of(v)["state"] == "ready" and pid_of(h, v) != pids[v], v)
        wait_recorded(h)
        assert stored(h) == (BURST, BURST)
        end = head(h)
        wait_for(lambda: f.seq >= end, "follower")
        assert len(f.seen) == BURST and set(f.seen.values()) == {1}
        # What web knows has gone on to the same place.
        wait_for(lambda: h.get_json("/api/v1/health")[1]["head"] >= end, "web has caught up")
        assert bus(h)["losses"] == []
    finally:
        f.close()
        p.close()


def test_stopped_subscribers_catch_up_by_replay(hale):
    """Longer than every buffer on the way: frames of one line each, so that nng's 8192 are too few."""
    h = hale(QUIET + "processes: {recorder: {watchdog: 5m}, notifier: {watchdog: 5m},"
             " web: {watchdog: 5m}}\n")
    pids = [pid_of(h, v) for v in ("recorder", "notifier", "web")]
    f, p = Follower(h), Publisher(h)
    before = head(h)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        p.publish(burst(BURST))
        end = head(h)
        assert end - before >= BURST
        rss = rss_kb(h.process.pid)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        wait_recorded(h)
        assert stored(h) == (BURST, BURST)
        wait_for(lambda: f.seq >= end, "follower", 4 * DEADLINE)
        assert len(f.seen) == BURST and set(f.seen.values()) == {1}
        heard = Rpc(h, "recorder").call("bus.status")["heard"]
        assert heard["lost"] == 0 and heard["healed"] > 0
        assert bus(h)["losses"] == []
        # The ring and three full queues; a sanitizer's shadow takes its share.
        assert rss < (900 if os.environ.get("HALE_SANITIZED") else 300) * 1024, rss
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        f.close()
        p.close()


def test_a_slow_reader_hinders_nobody_and_misses_nothing(hale):
    h = hale(QUIET)
    slow, p = Follower(h), Publisher(h)
    try:
        slow.is_reading.clear()
        p.publish(burst(30_000))
        wait_recorded(h)  # all others are through
        assert stored(h) == (30_000, 30_000)
        assert len(slow.seen) < 30_000
        slow.is_reading.set()
        end = head(h)
        wait_for(lambda: slow.seq >= end, "the slow one", 4 * DEADLINE)
        assert len(slow.seen) == 30_000 and set(slow.seen.values()) == {1}
        assert slow.snapshots == 0
    finally:
        slow.close()
        p.close()


def test_what_the_ring_cannot_replay_is_counted_and_told(hale):
    h = hale(QUIET + "bus: {ring: 64KB}\n")
    h.allow(*LOST, "lines were lost before they could be stored")
    n, p = 20_000, Publisher(h)
    try:
        p.publish(burst(100))
        wait_recorded(h)
        h.cli("stop", "recorder", check=True)
        p.publish([("event", [event_line(i, "x" * 100)]) for i in range(100, n)])
        assert bus(h)["ring_bytes"] <= 65536
        h.cli("start", "recorder", check=True)
        wait_recorded(h)
        rows, distinct = stored(h)
        assert rows == distinct < n

        # What is missing in the store is what was counted, line by line.
        counted = wait_for(lambda: bus(h)["losses"], "counted")
        assert [(x["leg"], x["process"]) for x in counted] == [("out", "recorder")]
        heard = Rpc(h, "recorder").call("bus.status")["heard"]
        assert heard["lost"] == counted[0]["lines"] == bus(h)["missed"]
        assert heard["lost"] >= n - rows

        def told():
            con = sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True)
            try:
                return con.execute("SELECT subject, details FROM events WHERE kind = 'bus_loss'"
                                   ).fetchall()
            finally:
                con.close()
        subject, details = wait_for(told, "the event in the store")[0]
        assert subject == "recorder" and json.loads(details)["leg"] == "out"

        def in_metrics():
            text = h.get("/metrics")[1]
            got = re.search(r'^hale_bus_lost_total\{leg="out",process="recorder"\} (\d+)$', text,
                            re.M)
            return got and int(got[1]) == heard["lost"]
        wait_for(in_metrics, "metric")
    finally:
        p.close()


def test_a_larger_ring_takes_effect_at_reload(hale):
    h = hale(QUIET + "bus: {ring: 64KB}\n")
    h.allow(*LOST)
    start, p = (Rpc(h, "haled").call("ping")["epoch"], head(h)), Publisher(h)
    try:
        h.write(QUIET + "bus: {ring: 8MB}\n")
        h.cli("reload", check=True)
        p.publish(burst(5_000))
        assert bus(h)["ring_bytes"] > 65536
        f = Follower(h, cursor=start)
        wait_for(lambda: len(f.seen) == 5_000, "all from the ring")
        assert f.snapshots == 0
        f.close()
        h.write(QUIET + "bus: {ring: 64KB}\n")
        h.cli("reload", check=True)
        assert bus(h)["ring_bytes"] <= 65536
    finally:
        p.close()


def test_what_a_child_gives_up_is_told(hale):
    """As a child whose outbox was full: a skip marker instead of lines."""
    h = hale(QUIET)
    h.allow(*LOST)
    w = Wire(f"{h.run_dir}/results.ipc", PUB)
    f = Follower(h)
    try:
        w.send(b"event burst:1 1 1\n" + event_line(0).encode() + b"\n")
        w.send(b"sync burst:1 42 0\n")
        w.send(b"sync burst:1 50 0\n")
        w.send(b"event burst:1 50 1\n" + event_line(50).encode() + b"\n")
        wait_for(lambda: set(f.seen) == {"0", "50"}, "the lines around the hole")
        assert bus(h)["lost"] == 48
        event = wait_for(lambda: [e for e in json_lines(h, "events", "--topic", "event")
                                  if e["kind"] == "bus_loss"], "told")
        assert [(e["subject"], e["details"]) for e in event] == [
            ("burst", {"leg": "in", "lines": 48, "total": 48})]
    finally:
        w.close()
        f.close()


def json_lines(h, *args):
    return [json.loads(x) for x in h.cli(*args, "-o", "json", check=True).stdout.splitlines()]


# ---- bytes of all kinds ----

def bad_hellos(rng):
    yield b""
    yield b"\0SP"
    yield b"GET / HTTP/1.0\r\n\r\n"
    yield b"\0SP\0\0\x10\0\0"  # PAIR: a protocol that is not the other end of this one
    yield b"\0SP\1\0\x21\0\0"
    yield b"\xff" * 8
    for _ in range(20):
        yield rng.randbytes(rng.randrange(1, 64))


def bad_messages(rng):
    yield struct.pack(">BQ", 1, 1 << 63)
    yield struct.pack(">BQ", 1, (4 << 20) + 1) + b"x" * 1000
    yield struct.pack(">BQ", 1, 100) + b"half"
    yield struct.pack(">BQ", 7, 3) + b"abc"
    yield struct.pack(">BQ", 1, 0)
    for _ in range(20):
        yield rng.randbytes(rng.randrange(1, 200))


def dribble(path, data):
    """Says it and goes, perhaps in the middle of it."""
    with connected(path) as s:
        try:
            s.sendall(data)
        except OSError:
            pass  # hung up on, which is an answer


def settled_fds(h, pid, before):
    """As before but for hale's own, who may still have been connecting; of strangers there were
    hundreds."""
    wait_for(lambda: fds(pid) <= before + 4, f"fds of {pid} back at {before}")


def test_garbage_on_the_bus_is_counted_and_harms_nobody(hale):
    h = hale("components: {quick: {'null': {}, interval: 200ms}}\n")
    h.allow(r"message dropped: it is no JSON object", r"message with unknown topic dropped")
    rng = random.Random(20261122)
    before = fds(h.process.pid)
    for name in ("bus.ipc", "results.ipc"):
        path = f"{h.run_dir}/{name}"
        for data in bad_hellos(rng):
            dribble(path, data)
        for data in bad_messages(rng):
            dribble(path, (SUB if name == "bus.ipc" else PUB) + data)
        crowd = [connected(path) for _ in range(200)]
        for s in crowd:
            s.close()
    good = event_line("good").encode() + b"\n"
    frames = [b"", b"hello", b"event burst:1 1 2\n{}\n", b"event burst:1 1 1\n{}",
              b"event burst:1 18446744073709551615 9\n", rng.randbytes(500),
              b"event burst:1 1 1 v2\nsomething new\n", b"gossip burst:1 1 1\n{}\n",
              b"event burst:1 2 1\n[1,2\n", b"event burst:1 3 1\n" + good]

    def said():
        # Again and again, because a listener pauses after garbage; what came before is known by
        # its number.
        w = Wire(f"{h.run_dir}/results.ipc", PUB, timeout=2)
        try:
            for m in frames:
                w.send(m)
            return wait_for(lambda: any(e["message"] == "good" for e in json_lines(
                h, "events", "--topic", "event", "-n", "100")), "the good one", 3)
        except AssertionError:
            return False
        finally:
            w.close()
    wait_for(said, "the good one after all the bad ones")
    b = bus(h)
    assert b["garbage"] >= 7 and b["unknown"] >= 2 and b["lost"] == 0, b
    # hale's own are served as ever.
    seen = h.component("quick")["last_check"]
    wait_for(lambda: h.component("quick")["last_check"] > seen, "checks go on")
    h.cli("tap", "-n", "3", check=True)
    assert bus(h)["reopened"] == 0, "nobody was deaf"
    settled_fds(h, h.process.pid, before)


def test_garbage_on_command_sockets_is_counted_and_harms_nobody(hale):
    h = hale(QUIET)
    rng = random.Random(7)
    for process in ("haled", "recorder", "notifier", "web", "check.null"):
        path = f"{h.run_dir}/{process}.ipc"
        pid = Rpc(h, process).call("ping")["pid"]
        before = fds(pid)
        for line in (b"\n", b"{}\n", b"[]\n", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}\n",
                     b"\xff\xfe\n", b"{\"a\":1,\"a\":2}\n", b"x" * 100_000 + b"\n"):
            with connected(path) as s:
                s.sendall(line)
                answer = json.loads(s.makefile("rb").readline())
                assert answer["error"]["code"] in (-32700, -32600), (line[:40], answer)
        for _ in range(50):
            dribble(path, rng.randbytes(rng.randrange(1, 300)))
        dribble(path, b"x" * ((16 << 20) + 100_000))  # a line without an end
        crowd = [connected(path) for _ in range(300)]
        for s in crowd:
            s.close()
        wait_for(lambda: Rpc(h, process).call("ping")["pid"] == pid, "still the same")
        settled_fds(h, pid, before)
        counters = (Rpc(h, process).call("status")["commands"] if process == "haled"
                    else Rpc(h, process).call("bus.status")["commands"])
        assert counters["bad"] >= 7 and counters["endless"] == 1, counters


def test_peers_of_another_user_are_refused(hale):
    if os.getuid() != 0:
        return  # nobody else to be
    h = hale(QUIET)
    os.chmod(h.dir, 0o755)
    os.chmod(h.run_dir, 0o755)
    for name in ("bus.ipc", "results.ipc", "haled.ipc"):
        assert os.stat(f"{h.run_dir}/{name}").st_mode & 0o777 == 0o600
        os.chmod(f"{h.run_dir}/{name}", 0o666)  # so that the kernel lets them as far as haled
    code = ("import os, socket, sys\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])\n"
            "got = b''\n"
            "try:\n"
            "    s.sendall(bytes.fromhex(sys.argv[2]))\n"
            "    while (more := s.recv(99)): got += more\n"
            "except (ConnectionResetError, BrokenPipeError): pass\n"
            "print(got.hex())\n")
    for name, said in (("bus.ipc", SUB), ("results.ipc", PUB),
                       ("haled.ipc", b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')):
        r = subprocess.run([sys.executable, "-c", code, f"{h.run_dir}/{name}", said.hex()],
                           capture_output=True, text=True, timeout=DEADLINE)
        # At most nng's eight bytes of greeting, and then the end.
        assert r.returncode == 0 and len(r.stdout.strip()) <= 16, (name, r.stdout, r.stderr)
    status = Rpc(h, "haled").call("status")
    assert status["bus"]["refused_peers"] == 2 and status["commands"]["refused"] == 1


# ---- what a stranger can do with the page ----

def block(language):
    with open(DOCS) as f:
        return re.search(rf"^```{language}\n(.*?)^```", f.read(), re.M | re.S)[1]


def read_until(process, wanted):
    timer = threading.Timer(DEADLINE, process.kill)
    timer.start()
    seen = []
    try:
        for line in process.stdout:
            seen.append(line)
            if wanted(line):
                return seen
    finally:
        timer.cancel()
    raise AssertionError(f"not within {DEADLINE} s, or ended: {seen}")


def test_the_subscriber_of_the_page_works_as_it_stands(hale, tmp_path):
    program = block("python")
    assert len(program.splitlines()) <= 15
    script = tmp_path / "subscriber.py"
    script.write_text(program)
    h = hale("components: {quick: {'null': {}, interval: 200ms}}\n")
    sub = subprocess.Popen([sys.executable, script, h.run_dir], stdout=subprocess.PIPE, text=True)
    try:
        lines = read_until(sub, lambda x: x.startswith("health ") and "'quick'" in x)
        seq = int(lines[-1].split()[1])
        a = Rpc(h, "haled").call("bus.replay", epoch=Rpc(h, "haled").call("ping")["epoch"],
                                 after=seq - 1)
        assert json.loads(parse(a["frames"][0].encode())[3][0])["component"] == "quick"
    finally:
        sub.kill()
        sub.communicate()


def test_the_shell_line_of_the_page_works_as_it_stands(hale):
    h = hale("components: {quick: {'null': {}, interval: 200ms}}\n")
    line = block("sh").strip().replace("/run/hale", h.run_dir)
    sub = subprocess.Popen(["/bin/sh", "-c", "exec " + line], stdout=subprocess.PIPE, text=True)
    try:
        read_until(sub, lambda x: '"component":"quick"' in x)
    finally:
        sub.kill()
        sub.communicate()


# ---- hale tap ----

def tap(h, *args):
    return subprocess.Popen([f"{BIN}/hale", "--run-dir", h.run_dir, "tap", *args],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_tap_shows_the_live_bus(hale):
    h = hale("components:\n  quick: {'null': {}, interval: 200ms}\n"
             "  other: {'null': {}, interval: 200ms}\n")
    h.wait_status("quick", "healthy")
    h.wait_status("other", "healthy")
    out = h.cli("tap", "-n", "3", check=True).stdout.splitlines()
    assert len(out) == 3
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3}  #\d+ +health +(quick|other) +healthy, .*: OK$",
                     out[0]), out
    out = json_lines(h, "tap", "health", "--component", "qu*", "-n", "5")
    assert {x["component"] for x in out} == {"quick"} and {x["topic"] for x in out} == {"health"}
    assert all(a["seq"] < b["seq"] for a, b in zip(out, out[1:]))
    out = h.cli("tap", "--from-start", "process", "-n", "1", check=True).stdout
    assert " start, pid " in out
    raw = h.cli("tap", "--raw", "-n", "2", check=True).stdout
    assert re.search(r"^(health|sync) e[0-9a-f]+ \d+ \d+$", raw.splitlines()[0])
    assert h.cli("tap", "helth").stderr == "hale: no topic 'helth' (did you mean 'health'?)\n"


def test_tap_ends_cleanly_and_tells_of_a_new_haled(hale):
    h = hale("components: {quick: {'null': {}, interval: 200ms}}\n")
    t = tap(h, "health")
    read_until(t, lambda x: "quick" in x)
    h.kill()
    h.allow(r"is crash-looping")
    h.start()
    read_until(t, lambda x: "quick" in x and int(re.search(r"#(\d+)", x)[1]) > 1)
    t.send_signal(signal.SIGINT)
    out, err = t.communicate(timeout=DEADLINE)
    assert t.returncode == 0 and "Sanitizer" not in err, err
    assert "haled was restarted" in err


def test_tap_says_when_lines_are_gone(hale):
    h = hale(QUIET + "bus: {ring: 64KB}\n")
    h.allow(*LOST)
    p = Publisher(h)
    t = tap(h, "event", "-o", "json", "--from-start")
    try:
        p.publish(burst(10))
        read_until(t, lambda x: '"message":"9"' in x)
        t.send_signal(signal.SIGSTOP)
        p.publish([("event", [event_line(i, "x" * 100)]) for i in range(10, 5_000)])
        h.kill()  # and what had not been read with it, but for what a small ring takes from the journal
        h.start()
        drain = threading.Thread(target=t.stdout.read)
        drain.start()
        t.send_signal(signal.SIGCONT)
        wait_for(lambda: "hale" in [x["process"] for x in bus(h)["losses"]], "counted")
        t.send_signal(signal.SIGTERM)
        drain.join(DEADLINE)
        assert t.wait(DEADLINE) == 0
        err = t.stderr.read()
        assert re.search(r"lines are missing here, \d+ at least", err), err
    finally:
        t.kill()
        t.wait()
        t.stdout.close()
        t.stderr.close()
        p.close()


def test_nothing_is_left_of_a_subscriber_that_went(hale):
    h = hale(QUIET)
    before = fds(h.process.pid)
    for _ in range(100):
        Wire(f"{h.run_dir}/bus.ipc").close()
    settled_fds(h, h.process.pid, before)
    assert is_alive(h.process.pid)
