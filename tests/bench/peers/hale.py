# SPDX-License-Identifier: Apache-2.0
"""hale itself, in several sizes. HALE_BIN names the folder of its programs (build/release/bin)."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time

import benchlib as b

BIN = pathlib.Path(os.environ.get("HALE_BIN", b.HERE / "../../build/release/bin")).resolve()


class Hale(b.Peer):
    """the suite: haled, history, alerts and web, as installed"""
    name = "hale"
    min_interval = "100 ms"
    supervisor_comm = "haled"
    port = b.P_PEER + 40
    # Each crash counts as the first one after a stable run once the child has lived this long; what
    # is measured is the restart, not the pause that a second failure in a row is given.
    restart = {"stable_after": "50ms"}
    without = ()        # processes that are not started
    fresh_connection = True
    is_known = False    # the configuration was found good before, as at every start but the first

    def available(self):
        return (BIN / "haled").exists()

    def version(self):
        return b.output([BIN / "haled", "--version"]).split()[-1]

    def start(self, sections):
        """haled with this configuration (a mapping; JSON is YAML too) in the peer's own folder."""
        config = {"web": {"listen": [{"address": f"{b.ADDR}:{self.port}", "public_details": True}]}}
        config.update(sections)
        if self.without:
            config["processes"] = {n: {"enabled": False} for n in self.without}
        file = self.dir / "hale.yaml"
        file.write_text(json.dumps(config))
        argv = [BIN / "haled", "-c", file, "--run-dir", self.dir / "run",
                "--state-dir", self.dir / "state"]
        err = open(self.dir / "err", "w")
        if self.is_known:
            with subprocess.Popen(argv, stderr=err) as first:
                while not self.ready() and first.poll() is None:
                    time.sleep(0.02)
                first.terminate()
        self.group.popen(argv, stderr=err)

    def ask(self, method, **params):
        """The result of a command to haled (docs/bus.md)."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(self.dir / "run/haled.ipc"))
            rq = dict(jsonrpc="2.0", id=1, method=method, params=params)
            s.sendall(json.dumps(rq).encode() + b"\n")
            with s.makefile("rb") as f:
                return json.loads(f.readline())["result"]

    def ready(self):
        with contextlib.suppress(OSError, KeyError, ValueError):
            return all(p["state"] == "ready" for p in self.ask("status")["processes"]
                       if p["enabled"])
        return False

    def program(self, argv):
        return {"command": [str(a) for a in argv], "ready_after": "10ms",
                "restart": self.restart}

    def start_supervise(self, argv):
        self.start_many([argv])

    def start_many(self, argvs):
        self.start({"programs": {f"child{i}": self.program(a) for i, a in enumerate(argvs)}})

    def start_checks(self, urls, interval, hook=None, preset="fast"):
        # A check must end before the next one begins.
        times = {"interval": f"{interval}s", "timeout": f"{min(5000, int(interval * 800))}ms"}
        http = {} if self.fresh_connection else {"fresh_connection": False}
        checks = {f"c{i}": {"http": {"url": u, **http}, **({} if preset == "default" else times)}
                  for i, u in enumerate(urls)}
        sections = {"components": checks}
        if hook:
            sections["alerts"] = {
                "channels": {"hook": {"webhook": {"url": hook}}},
                "rules": [{"name": "each", "type": "status_change", "components": ["c*"],
                           "cooldown": "0s", "channels": ["hook"]}]}
        self.start(sections)

    def is_alert(self, body):
        return json.loads(body)["event"] == "alert"

    def status_urls(self):
        u = f"http://{b.ADDR}:{self.port}"
        return {"/health": u + "/health", "/metrics": u + "/metrics",
                "/api/v1/components": u + "/api/v1/components"}


class HaleKeepalive(Hale):
    """the suite, asking over connections that are kept: what accepting costs is not checked"""
    name = "hale-keepalive"
    fresh_connection = False


class HaleAgain(Hale):
    """the suite with a configuration it has run before"""
    name = "hale-again"
    is_known = True


class HaleAlone(Hale):
    """haled and its program, nothing else: what runit and s6 are compared with"""
    name = "hale-alone"
    without = ("recorder", "notifier", "web")


class HaleDelay(HaleAlone):
    """a fixed delay of 100 ms: how closely a pause is kept"""
    name = "hale-delay-100"
    restart = {"delay": "100ms", "stable_after": "50ms"}


PEERS = [Hale, HaleKeepalive, HaleAgain, HaleAlone, HaleDelay]
