# SPDX-License-Identifier: Apache-2.0
"""What must hold while everything is being killed: looked at all the time, and in every pause."""
import collections
import contextlib
import json
import os
import re
import threading
import time

from conftest import SANITIZER, Rpc

SLOW = 4 if os.environ.get("HALE_SANITIZED") else 1  # sanitizers are several times slower
# haled answers a ping within this, whatever is being done to the others.
PING_MAX_S = 5.0 * SLOW
# What a fresh process holds open differs by a connection more or less.
FD_SLACK = 12
# ASan keeps what was freed, and a shadow of all.
HALED_PSS_MAX_KB = 48 * 1024 * (16 if SLOW > 1 else 1)
TREE_PSS_MAX_KB = 160 * 1024 * (24 if SLOW > 1 else 1)


def is_ours(pid, run_dir):
    """A process that this haled started, or that descends from one."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/environ", "rb") as f:
            return f"HALE_RUN_DIR={run_dir}".encode() in f.read().split(b"\0")
    return False


def descendants(run_dir):
    return {int(p) for p in os.listdir("/proc") if p.isdigit() and is_ours(p, run_dir)}


def state_of(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    return None


def pss_kb(pid):
    with contextlib.suppress(OSError, TypeError):
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1])
    return 0


def fds(pid):
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return 0


def zombies_of(pid):
    found = 0
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                found += sum(state_of(child) == "Z" for child in f.read().split())
    return found


class Pinger(threading.Thread):
    """haled is never stuck. Told when it is stopped or killed on purpose."""

    PERIOD_S = 0.2

    def __init__(self, world, problem):
        super().__init__(daemon=True)
        self.world, self.problem = world, problem
        self.answers, self.worst_s = 0, 0.0
        self.good = time.monotonic()
        self.held = False  # haled is down or stopped, and not by its own fault
        self.ended = threading.Event()
        self.start()

    def hold(self, held):
        self.good = time.monotonic()
        self.held = held

    def run(self):
        while not self.ended.wait(self.PERIOD_S):
            begun = time.monotonic()
            with contextlib.suppress(OSError, ValueError, AssertionError):
                Rpc(self.world.hale, "haled").call("ping")
                now = time.monotonic()
                if not self.held and self.good < begun:
                    self.worst_s = max(self.worst_s, now - begun)
                self.answers += 1
                self.good = now
            if not self.held and time.monotonic() - self.good > PING_MAX_S:
                self.problem(f"haled answered no ping for {time.monotonic() - self.good:.1f} s")
                self.good = time.monotonic()

    def close(self):
        self.ended.set()
        self.join(5)


class Meter:
    """Memory and descriptors: the most ever seen, and that they do not grow."""

    def __init__(self, world, problem):
        self.world, self.problem = world, problem
        self.fd_base, self.fd_most = {}, collections.Counter()
        self.haled_kb = self.tree_kb = 0

    def pids(self, status):
        return {"haled": status["pid"],
                **{p["name"]: p["pid"] for p in status["processes"] if p["pid"]}}

    def memory(self, pids):
        each = {name: pss_kb(pid) for name, pid in pids.items()}
        self.haled_kb = max(self.haled_kb, each["haled"])
        self.tree_kb = max(self.tree_kb, sum(each.values()))
        if each["haled"] > HALED_PSS_MAX_KB or sum(each.values()) > TREE_PSS_MAX_KB:
            self.problem(f"memory is not bounded (PSS in KB): {each}")

    def descriptors(self, pids):
        for name, pid in pids.items():
            n = fds(pid)
            self.fd_most[name] = max(self.fd_most[name], n)
            base = self.fd_base.setdefault(name, n)
            if n > base + FD_SLACK:
                self.problem(f"{name} holds {n} descriptors, {base} at first")

    def strangers(self, pids):
        """Processes that belong to nobody any more."""
        known = set(pids.values())
        return {p for p in descendants(self.world.hale.run_dir) - known if state_of(p) not in
                (None, "Z")}


def check_notices(world, stored, report):
    """In = out: each stored change was told once, under one key, in one wording."""
    told = collections.Counter()
    repeats = 0
    for key, bodies in world.notices().items():
        repeats += len(bodies) - 1
        if len(set(bodies)) != 1:
            report(f"one key, several bodies: {key}")
        body = json.loads(bodies[0])
        if body["id"] != key:
            report(f"the key {key} is not the id {body['id']}")
        told[(body["component"]["id"], body["previous"], body["status"])] += 1
    due = collections.Counter()
    begun = set()
    for _, change, _ in stored:
        # The first verdict is what the notifier starts from.
        if change[0] in begun or change[1:] != ("unknown", "healthy"):
            due[change] += 1
        begun.add(change[0])
    for what, diff in (("stored and not told", due - told), ("told and not stored", told - due)):
        if diff:
            report(f"{what}: {sum(diff.values())}: {list(diff.items())[:5]}")
    return sum(told.values()), repeats


def check_chains(world, stored, report):
    """Each change begins where the one before ended, and all that was done to it is in there. Returns
    how many changes were a check that did not come to its end in time: a machine at its limit has
    such, and what is between two changes that were made is not missed by anybody."""
    last, seen, late = {}, {}, 0
    for key, (component, before, after), reason in stored:
        if before != last.get(component, "unknown"):
            report(f"{component} at {key}: {before} to {after}, but it was {last.get(component)}")
        last[component] = after
        if reason.startswith("timeout"):
            late += 1
            continue
        if after != "unknown" and seen.setdefault(component, [None])[-1] != after:
            seen[component].append(after)
    for component, wanted in world.wanted.items():
        if seen.get(component, [None])[1:] != wanted:
            report(f"{component}: made {wanted[-6:]}, stored {seen.get(component, [])[-6:]}")
    return late


def check_reader(reader, stored, report):
    """What a stranger read off the bus is what was stored, key by key."""
    if reader.conflicts:
        report(f"one number, two messages: {reader.conflicts[:3]}")
    there = {key: change for key, change, _ in stored}
    read = dict(reader.transitions)  # it goes on reading
    missing = [k for k, v in read.items()
               if there.get(k) != v and v[0] in reader.hale_names]
    if missing:
        report(f"seen on the bus and not stored: {len(missing)}:"
               f" {[(k, read[k]) for k in missing[:3]]}")
    unseen = [k for k in there if k not in read]
    if unseen and not reader.lost:
        report(f"stored and not on the bus: {len(unseen)}: {[(k, there[k]) for k in unseen[:3]]}")


def check_log(text, allowed, report):
    for line in text.splitlines():
        if SANITIZER.search(line) or (re.search(r"^\S+ (error|fatal|panic) ", line) and not any(
                re.search(p, line) for p in allowed)):
            report(f"log: {line}")
