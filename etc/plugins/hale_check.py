# SPDX-License-Identifier: Apache-2.0
"""hale_check - a kind of check in Python: the contract of a child (docs/extending.md) in one file.

A plugin is a program that makes a Kind and calls its main():

    kind = Kind("dirsize", "measures what a directory holds", look, options={…}, …)
    kind.main()

`look(options)` is called in a thread for one component, and returns an Answer; what it raises is an
answer of outcome "error". It should end within the component's timeout: an answer that comes later
is not told, and the component is not looked at again until it has come.

Needs nothing but Python 3.9. No result is lost: each is kept until haled has acknowledged it.
"""
import asyncio
import collections
import concurrent.futures
import dataclasses
import datetime
import json
import math
import os
import random
import re
import signal
import socket
import struct
import sys
import time

AT_ONCE = 32             # looks under way at once, each in a thread
KEPT_MAX = 10_000        # results that haled has not acknowledged; the oldest go first
RESEND_S = 0.5           # without an acknowledgement for so long, all are sent again
RECONNECT_S = 0.1
FRAME_MAX = 4 << 20      # of the bus
LINES_MAX = 1 << 20      # of results in one message; more go in several
DETAILS_MAX = 1 << 16    # JSON of one result's details, or of what it saw: travels and is kept
REQUEST_MAX = 1 << 20    # a command is a line or two
PUB, SUB = b"\0SP\0\0\x20\0\0", b"\0SP\0\0\x21\0\0"
OUTCOMES = ("pass", "warn", "fail", "down", "error")
REASON = re.compile(r"[a-z0-9_]{1,40}")
EXIT_CONFIG = 78


@dataclasses.dataclass
class Answer:
    outcome: str                 # pass, warn, fail, down (nothing answers), error (could not look)
    message: str = ""
    reason: str = ""             # a stable code; "ok" for pass, else the outcome, unless given
    metrics: dict = dataclasses.field(default_factory=dict)   # name: number
    details: dict = dataclasses.field(default_factory=dict)   # name: anything JSON
    saw: dict = dataclasses.field(default_factory=dict)       # only for `hale check NAME`


class Kind:
    """options: {name: {"type": …, "help": …, "required": True, "default": "YAML" …}} as in
    docs/extending.md; metrics: {name with its unit: help}; reasons: {code: (outcome, help)};
    problems(options) gives [(path below the options, what is wrong)] beyond what haled checks."""

    def __init__(self, name, summary, look, *, options, metrics=None, details=None, reasons=None,
                 about=None, example=None, problems=None):
        self.name, self.summary, self.look = name, summary, look
        self.problems = problems or (lambda options: [])
        self.manifest = {
            "manifest": 1, "program": f"hale-check-{name}", "service": f"check.{name}",
            "role": "check", "kind": name, "summary": summary, "run": "when_configured",
            "options": options,
            "metrics": [{"name": n, "help": h} for n, h in (metrics or {}).items()],
            "details": [{"name": n, "help": h} for n, h in (details or {}).items()],
            "reasons": [{"code": c, "outcome": o, "help": h}
                        for c, (o, h) in (reasons or {}).items()],
            **({"about": about} if about else {}), **({"example": example} if example else {})}

    def main(self):
        argument = sys.argv[1] if len(sys.argv) > 1 else None
        if argument == "--describe":
            print(json.dumps(self.manifest, indent=1))
        elif argument == "--check":
            sys.exit(self._check(read_slice()))
        elif argument is not None or "HALE_RUN_DIR" not in os.environ:
            print(f"{self.manifest['program']}: {self.summary}\n"
                  "--describe prints its manifest; haled runs it", file=sys.stderr)
            sys.exit(2)
        else:
            asyncio.run(self._run(read_slice()))

    async def _run(self, slice_):
        await Runner(self, slice_).run()     # events of Python 3.9 belong to the loop they see

    def _check(self, slice_):
        wrong = 0
        for i, component in enumerate(slice_["components"]):
            for path, message in self.problems(component["options"]):
                print(json.dumps({"path": f"/components/{i}/options{path}", "message": message}))
                wrong += 1
        return EXIT_CONFIG if wrong else 0


def read_slice():
    try:
        with os.fdopen(3, "rb") as f:
            return json.load(f)
    except (OSError, ValueError) as e:
        print(f"<3>cannot read the configuration on descriptor 3: {e}", file=sys.stderr)
        sys.exit(EXIT_CONFIG)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def mistake(answer):
    """What haled would not take, or this cannot write; None."""
    if not isinstance(answer, Answer):
        return f"{type(answer).__name__} is no Answer"
    if answer.outcome not in OUTCOMES:
        return f"there is no outcome '{answer.outcome}'"
    if not isinstance(answer.message, str):
        return "the message is no text"
    if answer.reason and not REASON.fullmatch(answer.reason):
        return f"the reason '{answer.reason}' is not made of up to 40 of a-z 0-9 _"
    for name, value in answer.metrics.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"the metric {name} is no number"
    try:
        size = max(len(json.dumps(o, allow_nan=False)) for o in (answer.details, answer.saw))
    except (TypeError, ValueError) as e:
        return f"details: {e}"
    return f"details of {size} bytes" if size > DETAILS_MAX else None


class Notify:
    """sd_notify(3)."""

    def __init__(self):
        path = os.environ.get("NOTIFY_SOCKET", "")
        self.address = "\0" + path[1:] if path.startswith("@") else path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def say(self, text):
        if self.address:
            try:
                self.socket.sendto(text.encode(), self.address)
            except OSError as e:
                print(f"<4>cannot notify haled: {e}", file=sys.stderr)


class Outbox:
    """Lines on their way to haled, in order, each until it is acknowledged."""

    def __init__(self, run_dir):
        self.run_dir = run_dir
        self.epoch = f"{os.environ['HALE_SERVICE']}:{os.environ['HALE_GENERATION']}"
        self.lines = collections.deque()   # (number, line)
        self.number = 0
        self.sent = 0                      # the newest that was sent on this connection
        self.wake = asyncio.Event()

    def put(self, line):
        self.number += 1
        self.lines.append((self.number, json.dumps(line)))
        if len(self.lines) > KEPT_MAX:
            self.lines.popleft()
        self.wake.set()

    def acknowledge(self, number):
        while self.lines and self.lines[0][0] <= number:
            self.lines.popleft()
        self.wake.set()

    @staticmethod
    def message(header, lines=()):
        body = "".join(f"{text}\n" for text in (header, *lines)).encode()
        return struct.pack(">BQ", 1, len(body)) + body

    def take(self):
        """What has not been sent yet, or as much of it as a message holds, and b"" at its end; a
        gap is announced by a skip marker."""
        fresh, size = [], 0
        for n, line in self.lines:
            if n > self.sent and (not fresh or size + len(line) <= LINES_MAX):
                fresh.append((n, line))
                size += len(line)
            elif fresh:
                break
        if not fresh:
            return b""
        out = b""
        if fresh[0][0] > self.sent + 1:
            out += self.message(f"sync {self.epoch} {fresh[0][0]} 0")
        out += self.message(f"observation {self.epoch} {fresh[0][0]} {len(fresh)}",
                            [line for _, line in fresh])
        self.sent = fresh[-1][0]
        return out

    async def connection(self):
        reader, writer = await asyncio.open_unix_connection(f"{self.run_dir}/results.ipc")
        try:
            writer.write(PUB)
            if await reader.readexactly(8) != SUB:
                raise ConnectionError("this is not haled")
            self.sent = self.lines[0][0] - 1 if self.lines else self.number
            while True:
                while message := self.take():
                    writer.write(message)
                    await writer.drain()
                if reader.at_eof():
                    raise ConnectionError("haled hung up")
                self.wake.clear()
                before = self.lines[0][0] if self.lines else 0
                try:
                    await asyncio.wait_for(self.wake.wait(), RESEND_S)
                except asyncio.TimeoutError:
                    if self.lines and self.lines[0][0] == before:
                        self.sent = before - 1
        finally:
            writer.close()

    async def run(self):
        while True:
            try:
                await self.connection()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(RECONNECT_S)

    async def listen(self):
        """The acknowledgements, on the bus."""
        while True:
            try:
                await self.listen_once()
            except (OSError, ValueError, asyncio.IncompleteReadError):
                await asyncio.sleep(RECONNECT_S)

    async def listen_once(self):
        reader, writer = await asyncio.open_unix_connection(f"{self.run_dir}/bus.ipc")
        try:
            writer.write(SUB)
            if await reader.readexactly(8) != PUB:
                raise ConnectionError("this is not haled")
            while True:
                _, size = struct.unpack(">BQ", await reader.readexactly(9))
                if size > FRAME_MAX:
                    raise ConnectionError("this is not haled")
                text = await reader.readexactly(size)
                if text.startswith(b"sync "):
                    acks = json.loads(text.split(b"\n", 1)[1]).get("acks", {})
                    self.acknowledge(acks.get(self.epoch, 0))
        finally:
            writer.close()


class Runner:
    """The schedule, the threads, the deadlines, and the commands."""

    def __init__(self, kind, slice_):
        self.kind, self.components = kind, slice_["components"]
        self.node = slice_.get("node", "")
        self.notify = Notify()
        self.outbox = Outbox(os.environ["HALE_RUN_DIR"])
        self.threads = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self.stop = asyncio.Event()
        self.runs = 0
        self.locks = {c["id"]: asyncio.Lock() for c in self.components}
        self.late = {}           # id: the future of a look that did not come back in time

    def observation(self, component, answer, took_s):
        wrong = mistake(answer)
        if wrong:
            answer = Answer("error", f"the plugin is at fault: {wrong}", "internal_error")
        return {"at": now(), "node": self.node, "component": component["id"],
                "outcome": answer.outcome,
                "reason": answer.reason or ("ok" if answer.outcome == "pass" else answer.outcome),
                "message": answer.message, "took_ms": round(took_s * 1000, 3),
                "metrics": {n: v for n, v in answer.metrics.items() if math.isfinite(v)},
                "details": answer.details}, {} if wrong else answer.saw

    async def look(self, component):
        """(observation, what it saw). One at a time, and none beside one that is late."""
        async with self.locks[component["id"]]:
            return await self.look_alone(component)

    async def look_alone(self, component):
        began = time.monotonic()
        limit = component["timeout"] / 1000
        late = self.late.get(component["id"])
        if late is not None and not late.done():
            return self.observation(component, Answer(
                "down", "Timed out: the look before this one has not come back", "timeout"), 0)
        future = asyncio.get_running_loop().run_in_executor(
            self.threads, self.kind.look, component["options"])
        self.runs += 1
        try:
            answer = await asyncio.wait_for(asyncio.shield(future), limit)
        except Exception as e:  # whatever the plugin raises is what it says, a TimeoutError too
            if future.done():
                answer = Answer("error", f"{type(e).__name__}: {e}", "internal_error")
            else:
                answer = Answer("down", f"Timed out (after {limit:g}s)", "timeout")
                future.add_done_callback(lambda f: f.exception())  # nobody asks any more
                self.late[component["id"]] = future
        return self.observation(component, answer, time.monotonic() - began)

    async def watch(self, component):
        interval = component["interval"] / 1000
        due = time.monotonic() + random.random() * min(interval, 1)
        while True:
            await asyncio.sleep(max(0, due - time.monotonic()))
            observation, _ = await self.look(component)
            self.outbox.put(observation)
            while due <= time.monotonic():
                due += interval

    async def answer(self, reader, writer):
        """Commands: one JSON-RPC 2.0 object a line (docs/bus.md)."""
        try:
            while line := await reader.readline():
                try:
                    rq = json.loads(line)
                    reply = {"result": await self.command(rq.get("method"), rq.get("params") or {})}
                except LookupError as e:
                    reply = {"error": {"code": -32001, "message": str(e.args[0])}}
                except (ValueError, AttributeError) as e:
                    reply, rq = {"error": {"code": -32700, "message": str(e)}}, {}
                writer.write(json.dumps({"jsonrpc": "2.0", "id": rq.get("id"), **reply}).encode()
                             + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    async def command(self, method, params):
        if method == "ping":
            return {"service": os.environ["HALE_SERVICE"], "pid": os.getpid(),
                    "generation": int(os.environ["HALE_GENERATION"])}
        if method == "runner.status":
            return {"components": len(self.components), "runs": self.runs}
        if method == "check.run":
            for component in self.components:
                if component["id"] == params.get("component"):
                    observation, saw = await self.look(component)
                    return {"observation": observation, **({"saw": saw} if saw else {})}
            raise LookupError(f"no component '{params.get('component')}' here")
        raise LookupError(f"no method '{method}'")

    async def beat(self):
        every = int(os.environ.get("WATCHDOG_USEC", "0")) / 3_000_000 or 10
        n = len(self.components)
        while True:
            self.notify.say(f"WATCHDOG=1\nSTATUS={n} check{'' if n == 1 else 's'}")
            await asyncio.sleep(every)

    async def run(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop.set)
        path = f"{self.outbox.run_dir}/{os.environ['HALE_SERVICE']}.ipc"
        if os.path.exists(path):
            os.unlink(path)
        server = await asyncio.start_unix_server(self.answer, path, limit=REQUEST_MAX)
        tasks = [asyncio.create_task(c) for c in (
            self.outbox.run(), self.outbox.listen(), self.beat(),
            *(self.watch(component) for component in self.components))]
        self.notify.say("READY=1")
        stopping = asyncio.create_task(self.stop.wait())
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if stopping not in done:
            done.pop().result()  # a task ended: that is a mistake of ours, and raises
        self.notify.say("STOPPING=1")
        for task in tasks[2:]:
            task.cancel()
        end = time.monotonic() + 1
        while self.outbox.lines and time.monotonic() < end:
            await asyncio.sleep(0.01)
        server.close()
        os._exit(0)  # a thread that hangs must not keep it
