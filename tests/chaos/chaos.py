#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills and stops everything, all the time, and checks that nothing is lost.

Usage: chaos.py [--seconds N] [--seed N] [--rate ACTS_PER_S] [--components N] [--http N] [-v]

Every process of a hale with many components is killed or stopped at random, haled too (which is then
started again, as init would; it is also told to upgrade itself and to reload). Meanwhile: haled answers, memory and descriptors stay bounded. In
every pause: all are ready again in time, nobody is left behind, and what was done to the components,
what haled said on the bus, what was stored and what was told are the same changes, each once.

The run prints its seed; the same seed does the same acts in the same order.
"""
import argparse
import contextlib
import os
import random
import resource
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
import guards  # noqa: E402
import schedule  # noqa: E402
from busreader import BusReader  # noqa: E402
from world import PROGRAMS, Flipper, World  # noqa: E402

READY_MAX_S = 10 * guards.SLOW   # after the last act, until all processes are ready
SETTLE_MAX_S = 20 * guards.SLOW  # from then on something more is told this often, until all is
SETTLE_ALL_S = 10 * SETTLE_MAX_S
METER_PERIOD_S = 2.0
# What a killed haled leaves behind dies with it, but not before the disk lets it; the next one of it
# refuses to work beside it, and tries again.
EXPECTED_ERRORS = (r"cannot start error=.*: in use by another process",)


class Chaos:
    def __init__(self, options):
        self.o = options
        self.problems = []
        self.did = {"missed": 0}
        self.down_on_purpose = False
        self.haled_starts = self.log_read = 0
        self.worst_ready_s = self.worst_settle_s = 0.0
        self.world = World(options.components, options.http)
        self.meter = guards.Meter(self.world, self.problem)
        self.stored_n = self.told_n = self.repeats = self.late = 0
        self.pause = threading.Event()  # never set: what waits on it waits for time to pass

    def say(self, text):
        print(f"{time.monotonic() - self.begun:7.1f} {text}", flush=True)

    def problem(self, text):
        self.problems.append(text)
        self.say(f"PROBLEM: {text}")

    # -- acts --
    def pid_of(self, name):
        if name == "haled":
            return self.world.hale.process.pid
        return self.world.ask("show", name=name)["process"]["pid"]

    def kill_haled(self):
        self.pinger.hold(True)
        self.world.hale.process.kill()
        self.world.hale.process.wait()
        self.start_haled()

    def start_haled(self):
        self.haled_starts += 1
        self.world.hale.start(ready=False)
        self.pinger.hold(False)

    def stop(self, act, pid):
        def go_on():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            if act.victim == "haled":
                self.pinger.hold(False)
        if act.victim == "haled":
            self.pinger.hold(True)
        os.kill(pid, signal.SIGSTOP)
        timer = threading.Timer(act.lasts, go_on)
        timer.daemon = True
        timer.start()
        # haled is left alone while it is stopped: nobody else could be found without it.
        if act.victim == "haled":
            timer.join()

    def do(self, act):
        if self.o.verbose:
            self.say(f"  {act}")
        try:
            pid = self.pid_of(act.victim)
            if pid is None:  # it waits to be started again
                raise ProcessLookupError
            if act.kind == "stop":
                self.stop(act, pid)
            elif act.kind in ("upgrade", "reload"):
                self.world.ask(act.kind)
            elif act.victim == "haled":
                self.kill_haled()
            else:
                os.kill(pid, signal.SIGKILL if act.kind == "kill" else signal.SIGSTOP)
            self.did[act.kind] = self.did.get(act.kind, 0) + 1
        except (ProcessLookupError, OSError, AssertionError, ValueError):
            self.did["missed"] += 1

    def watch_haled(self):
        """It may be killed; it may not end by itself."""
        if self.world.hale.process.poll() is not None:
            self.problem(f"haled ended by itself: {self.world.hale.process.returncode}")
            self.start_haled()

    def meter_now(self):
        with contextlib.suppress(OSError, ValueError, AssertionError, KeyError):
            self.meter.memory(self.meter.pids(self.world.status()))

    def run_acts(self, acts, origin):
        """Acts of one stretch; their times count from `origin`."""
        begun = metered = time.monotonic()
        for act in acts:
            while (wait := begun + act.at - origin - time.monotonic()) > 0:
                self.pause.wait(min(wait, 0.2))
                if time.monotonic() - metered > METER_PERIOD_S:
                    metered = time.monotonic()
                    self.meter_now()
            self.watch_haled()
            self.do(act)

    # -- pauses --
    def until_empty(self, what, limit_s, patience_s=0.0):
        """Waits until `what` finds nothing wrong; what it still finds at the end is a problem. With
        patience, the limit counts from the last notice: a busy machine tells slowly."""
        begun = moved = time.monotonic()
        told = -1
        while True:
            found = []
            if told != (told := len(self.world.sink.requests)):
                moved = time.monotonic()
            try:
                what(found.append)
            except (OSError, ValueError, AssertionError, KeyError) as e:
                found.append(repr(e))
            took = time.monotonic() - begun
            if not found:
                return took
            if took > max(limit_s, patience_s) or (
                    took > limit_s and time.monotonic() - moved > limit_s):
                for text in found:
                    self.problem(f"{what.__name__}: {text}")
                return took
            self.pause.wait(0.1)

    def all_ready(self, report):
        bad = [(p["name"], p["state"]) for p in self.world.status()["processes"]
               if p["state"] != "ready"]
        if bad:
            report(f"not ready: {bad}")

    def all_settled(self, report):
        wrong = {n: s for n, s in self.world.statuses().items() if s != self.world.wanted[n][-1]}
        if wrong:
            report(f"{len(wrong)} components are not what they were made: {list(wrong.items())[:3]}")
            return
        stored = self.world.stored()
        self.late = guards.check_chains(self.world, stored, report)
        guards.check_reader(self.reader, stored, report)
        self.told_n, self.repeats = guards.check_notices(self.world, stored, report)
        self.stored_n = len(stored)

    def all_accounted(self, report):
        pids = self.meter.pids(self.world.status())
        if strangers := self.meter.strangers(pids):
            report(f"processes of nobody: {strangers}")
        if zombies := guards.zombies_of(pids["haled"]):
            report(f"{zombies} zombies")

    def check(self):
        self.watch_haled()
        ready = self.until_empty(self.all_ready, READY_MAX_S)
        settle = self.until_empty(self.all_settled, SETTLE_MAX_S, SETTLE_ALL_S)
        self.until_empty(self.all_accounted, READY_MAX_S)
        pids = self.meter.pids(self.world.status())
        self.meter.memory(pids)
        self.meter.descriptors(pids)
        log = self.world.hale.logs()
        guards.check_log(log[self.log_read:], EXPECTED_ERRORS, self.problem)
        self.log_read = len(log)
        self.worst_ready_s = max(self.worst_ready_s, ready)
        self.worst_settle_s = max(self.worst_settle_s, settle)
        self.say(f"pause: ready after {ready:.1f} s, settled after {settle:.1f} s;"
                 f" {self.stored_n} changes stored, {self.told_n} told")

    # -- the run --
    def begin(self):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what hangs is aborted, many times
        self.begun = time.monotonic()
        self.world.hale.start()
        self.reader = BusReader(self.world.hale)
        self.reader.hale_names = set(self.world.wanted)
        self.pinger = guards.Pinger(self.world, self.problem)
        self.flipper = Flipper(self.world, schedule.flips(self.o.seed, self.world.answers),
                               self.o.flips)
        self.check()

    def run(self):
        self.begin()
        names = [p["name"] for p in self.world.status()["processes"]]
        acts = schedule.acts(self.o.seed, self.o.seconds, self.o.rate, names, PROGRAMS)
        stretch = min(max(10.0, self.o.seconds / 12), self.o.seconds)
        origin = 0.0
        while origin < self.o.seconds and len(self.problems) < 10:
            self.flipper.active.set()
            self.run_acts([a for a in acts if origin <= a.at < origin + stretch], origin)
            self.flipper.pause()
            self.check()
            origin += stretch
        self.end()

    def end(self):
        self.flipper.close()
        self.reader.close()
        self.pinger.close()
        left = guards.descendants(self.world.hale.run_dir)
        if self.world.hale.stop() != 0:
            self.problem("haled did not end well")
        if left := {p for p in left if guards.state_of(p) not in (None, "Z")}:
            self.problem(f"left behind at the end: {left}")
        self.world.close()

    def summary(self):
        m = self.meter
        print(f"\nseed {self.o.seed}: {self.o.seconds} s of acts on {self.o.components} components\n"
              f"  acts            {dict(sorted(self.did.items()))}, haled started"
              f" {self.haled_starts} times again\n"
              f"  changes         {self.flipper.flips} made, {self.stored_n} stored,"
              f" {self.told_n} told, {self.repeats} deliveries repeated under their key,"
              f" {self.late} by a check's timeout\n"
              f"  bus             {len(self.reader.transitions)} changes read by a stranger,"
              f" {self.reader.gaps} gaps replayed, {self.reader.lost} snapshots\n"
              f"  ready, settled  {self.worst_ready_s:.1f} s, {self.worst_settle_s:.1f} s at worst\n"
              f"  ping            {self.pinger.answers} answered, {self.pinger.worst_s * 1e3:.0f} ms"
              f" at worst\n"
              f"  PSS             haled {m.haled_kb} KB, the tree {m.tree_kb} KB at most\n"
              f"  descriptors     {dict(m.fd_most)}\n"
              f"  problems        {len(self.problems)}")


def options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    p.add_argument("--rate", type=float, default=3 if guards.SLOW == 1 else 1.5, help="acts a second")
    p.add_argument("--flips", type=float, default=20 / guards.SLOW, help="changes a second")
    p.add_argument("--components", type=int, default=500)
    p.add_argument("--http", type=int, default=50)
    p.add_argument("--keep", action="store_true", help="leave its directory when something is wrong")
    p.add_argument("-v", "--verbose", action="store_true", help="print each act")
    return p.parse_args()


def main():
    o = options()
    print(f"chaos: --seed {o.seed} --seconds {o.seconds:g} --rate {o.rate:g}"
          f" --components {o.components} --http {o.http}", flush=True)
    chaos = Chaos(o)
    try:
        chaos.run()
        chaos.summary()
    finally:
        process = chaos.world.hale.process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        if chaos.problems and o.keep:
            print(f"kept: {chaos.world.hale.dir}")
        else:
            import shutil
            shutil.rmtree(chaos.world.hale.dir, ignore_errors=True)
    if chaos.problems:
        print(f"replay: --seed {o.seed} --seconds {o.seconds:g} --rate {o.rate:g}")
    return 1 if chaos.problems else 0


if __name__ == "__main__":
    sys.exit(main())
