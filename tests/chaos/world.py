# SPDX-License-Identifier: Apache-2.0
"""What the chaos run is done to: a hale with many components, and all that they look at."""
import json
import os
import sqlite3
import threading

from conftest import DEADLINE, Hale, Nginx, Rpc, Sink
from guards import SLOW

# Components of kind null are dealt to this many processes.
NULL_GROUPS = 3
FILE_ANSWERS = {"healthy": "pass", "critical": "fail broken", "degraded": "warn slow",
                "down": "down gone"}

# A process that is killed every few seconds is no crash loop here: back within a second or so. One
# that is frozen while it starts is found by its start_timeout alone.
PROCESS = {"watchdog": "2s", "start_timeout": f"{5 * SLOW}s",
           "restart": {"base": "50ms", "cap": "400ms", "stable_after": "1s", "burst": 31,
                       "window": "1s"}}
# Users' programs, with nobody to notice when they hang: one alone, one that needs it, one after.
PROGRAM = {"command": ["/usr/bin/sleep", "1000000"], "ready_after": "50ms",
           "restart": PROCESS["restart"]}
PROGRAMS = {"u0": PROGRAM, "u1": {**PROGRAM, "requires": ["u0"]}, "u2": {**PROGRAM, "after": ["u1"]}}


class World:
    """wanted: {component: [each status it was made to have, in order]}."""

    def __init__(self, components, http):
        self.sink = Sink()
        self.nginx = Nginx()
        self.hale = Hale()
        self.files = [f"n{i}" for i in range(components - http)]
        self.pages = [f"w{i}" for i in range(http)]
        self.answers = {**{n: list(FILE_ANSWERS) for n in self.files},
                        **{n: ["healthy", "critical"] for n in self.pages}}
        self.wanted = {}
        for name in self.answers:
            self.set(name, "healthy")
        self.configure()

    # -- what hale watches --
    def set(self, name, status):
        """From now on a check of it finds this. Atomic, as a check may look at any moment."""
        folder = self.hale.dir if name in self.files else self.nginx.root
        path = f"{folder}/{name}"
        if name in self.files or status == "healthy":
            with open(path + ".new", "w") as f:
                f.write(FILE_ANSWERS[status])
            os.rename(path + ".new", path)
        else:
            os.unlink(path)
        self.wanted.setdefault(name, []).append(status)

    def configure(self):
        components = {n: {"null": {"file": f"{self.hale.dir}/{n}"}, "interval": "1s",
                          "timeout": "900ms", "group": f"g{i % NULL_GROUPS}"}
                      for i, n in enumerate(self.files)}
        components.update({n: {"http": {"url": f"{self.nginx.url}/{n}"}, "interval": "1s",
                               "timeout": "900ms"} for n in self.pages})
        processes = [f"check.null.g{i}" for i in range(NULL_GROUPS)] + [
            "check.http", "recorder", "notifier", "web"]
        config = {
            "components": components,
            "bus": {"ring": "16MB"},
            "processes": {p: PROCESS for p in processes},
            "programs": PROGRAMS,
            "alerts": {"channels": {"sink": {"webhook": {"url": f"{self.sink.url}/alerts"},
                                             "rate": 0}},
                       "rules": [{"name": "each", "type": "status_change", "cooldown": "0s",
                                  "components": ["n*", "w*"], "channels": ["sink"],
                                  "on": [*FILE_ANSWERS, "unknown"]}]},
            "web": {"listen": [{"address": f"127.0.0.1:{self.hale.port}"}]},
        }
        with open(self.hale.config_path, "w") as f:
            json.dump(config, f, indent=1)

    # -- looking --
    def ask(self, method, **params):
        return Rpc(self.hale, "haled").call(method, **params)

    def status(self):
        return self.ask("status")

    def statuses(self):
        return {c["id"]: c["status"] for c in self.status()["components"] if c["id"] in self.wanted}

    def stored(self):
        """[((epoch, seq), (component, from, to), reason)] of what is watched, in order."""
        db = sqlite3.connect(f"file:{self.hale.state_dir}/history.db?mode=ro", uri=True,
                             timeout=DEADLINE)
        try:
            rows = db.execute("SELECT epoch, seq, component, from_status, to_status, reason"
                              " FROM v_transitions ORDER BY epoch, seq").fetchall()
        finally:
            db.close()
        return [((r[0], r[1]), (r[2], r[3], r[4]), r[5] or "") for r in rows
                if r[2] in self.wanted]

    def notices(self):
        """{idempotency key: [bodies]} of all that the sink was sent."""
        out = {}
        with self.sink.lock:
            requests = list(self.sink.requests)
        for r in requests:
            out.setdefault(r["headers"]["Idempotency-Key"], []).append(r["body"])
        return out

    def close(self):
        self.hale.stop()
        self.nginx.close()
        self.sink.close()


class Flipper(threading.Thread):
    """Changes what hale watches, each component only after its last change has been seen, so that
    none of the changes can go unnoticed between two checks."""

    PERIOD_S = 0.5

    def __init__(self, world, source, per_second):
        super().__init__(daemon=True)
        self.world, self.source = world, source
        self.each = max(1, round(per_second * self.PERIOD_S))
        self.flips = 0
        self.active = threading.Event()
        self.ended = threading.Event()
        self.idle = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(self.PERIOD_S):
            if not self.active.is_set():
                self.idle.set()
                continue
            self.idle.clear()
            try:
                seen = self.world.statuses()
            except (OSError, ValueError, AssertionError, KeyError):
                continue  # haled was killed, or is stopped just now
            for _ in range(self.each):
                name, status = next(self.source)
                last = self.world.wanted[name][-1]
                if seen.get(name) == last != status:
                    self.world.set(name, status)
                    seen[name] = None
                    self.flips += 1

    def pause(self):
        self.active.clear()
        self.idle.clear()
        self.idle.wait(DEADLINE)

    def close(self):
        self.ended.set()
        self.join(DEADLINE)
