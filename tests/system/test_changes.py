# SPDX-License-Identifier: Apache-2.0
"""Commands and reloads that meet: what was asked last is what becomes of a program."""
import json
import os
import socket

import pytest

from conftest import DEADLINE, Rpc, wait_for

# Takes a second to stop.
SLOW = ("{command: [python3, -c, \"import signal, time; signal.signal(signal.SIGTERM, lambda *a: "
        "(time.sleep(1), exit(0))); signal.pause()\", %s], ready_after: 300ms%s}")
OTHER = "  other: {command: [sleep, '1000'], ready_after: 50ms}\n"


def slow(argument, more=""):
    return "  slow: " + SLOW % (argument, more) + "\n"


def of(*lines):
    return "programs:\n" + "".join(lines)


def wait_state(h, name, state):
    wait_for(lambda: h.process_of(name)["state"] == state, f"{name} {state}")


def names(h):
    return [p["name"] for p in h.status()["processes"]]


def test_what_is_removed_while_it_restarts_does_not_come_back(hale):
    h = hale(of(OTHER, slow("a")))
    Rpc(h, "haled").call("process.restart", names=["slow"])
    assert h.process_of("slow")["state"] == "stopping"
    h.write(of(OTHER))
    h.cli("reload", check=True)
    wait_for(lambda: "slow" not in names(h), "it is gone")


def test_what_is_being_stopped_is_not_brought_back_by_a_change(hale):
    h = hale(of(OTHER, slow("a")))
    Rpc(h, "haled").call("process.stop", names=["slow"])
    assert h.process_of("slow")["state"] == "stopping"
    h.write(of(OTHER, slow("b")))
    h.cli("reload", check=True)
    wait_for(lambda: h.process_of("slow")["state"] != "stopping", "it has ended")
    assert h.process_of("slow")["state"] == "stopped"
    # Nor while it still waits for those that need it.
    user = slow("a", ", requires: [base]")
    base = "  base: {command: [sleep, '%s'], ready_after: 50ms}\n"
    h.write(of(user, base % 1000))
    h.cli("reload", check=True)
    h.cli("start", "slow", check=True)
    Rpc(h, "haled").call("process.stop", names=["base"])
    assert h.process_of("base")["state"] == "ready"
    h.write(of(user, base % 1001))
    h.cli("reload", check=True)
    wait_state(h, "base", "stopped")
    wait_state(h, "slow", "waiting")
    assert h.process_of("base")["generation"] == 1


@pytest.mark.parametrize("gone", ["removed", "disabled"])
def test_what_is_wanted_again_before_it_has_stopped_runs_on(hale, gone):
    base = "  base: {command: [sleep, '1000'], ready_after: 50ms%s}\n"
    before = of(slow("a", ", requires: [base]"), base % "")
    without = of(OTHER) if gone == "removed" else \
        of(slow("a", ", requires: [base]"), base % ", enabled: false")
    h = hale(before)
    h.write(without)
    h.cli("reload")
    assert h.process_of("base")["state"] == "ready"  # it waits for who needs it
    h.write(before)
    h.cli("reload")
    wait_state(h, "slow", "ready")
    wait_state(h, "base", "ready")
    # Both are settled: nothing is on its way any more.
    assert not h.process_of("base")["finished"] and h.process_of("base")["enabled"]


def test_what_was_removed_while_it_failed_is_forgotten(hale):
    h = hale(of(OTHER, slow("a", ", requires: [base]"),
                "  base: {command: [sh, -c, 'sleep 0.5; test ! -e @DIR@/fail'], ready_after: 50ms,"
                " restart: {delay: 60s}}\n"))
    h.allow("process ended unexpectedly")
    open(f"{h.dir}/fail", "w").close()
    wait_state(h, "base", "backoff")
    h.write(of(OTHER))
    h.cli("reload")
    wait_for(lambda: names(h) and not {"base", "slow"} & set(names(h)), "both are gone")


def test_who_was_stopped_before_its_first_start_keeps_nobody_waiting(hale):
    h = hale(of("  base: {command: [sleep, '1000'], ready_after: 2s}\n",
                "  user: {command: [sleep, '1000'], requires: [base]}\n"), start=False)
    h.start(ready=False)
    wait_for(lambda: h.process_of("user")["state"] == "waiting", "it waits")
    Rpc(h, "haled").call("process.stop", names=["user"])
    wait_for(lambda: "processes are ready" in h.logs(), "haled has started")
    assert h.process_of("user")["state"] == "stopped"


def test_a_checker_stopped_during_a_pause_stays_so(hale):
    h = hale("components:\n  a: {null: {outcome: pass}, interval: 200ms, timeout: 100ms}\n"
             "  b: {tcp: {address: '127.0.0.1:@PORT@'}, interval: 200ms, timeout: 100ms}\n")
    h.allow("monitoring is paused")
    h.cli("pause", check=True)
    wait_state(h, "check.null", "stopped")
    h.cli("stop", "check.null", check=True)
    h.cli("resume", check=True)
    wait_state(h, "check.tcp", "ready")
    assert h.process_of("check.null")["state"] == "stopped"


def ask(h, method):
    """Sent now; the answer is read later."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(DEADLINE)
    s.connect(f"{h.run_dir}/haled.ipc")
    s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode() + b"\n")
    return s


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_question_that_met_a_refused_reload_is_answered_once(hale):
    h = hale(of(OTHER), start=False)
    h.allow("reload refused")
    h.start()
    h.write("instance: {user: daemon}\n" + of(OTHER))
    asked = [ask(h, m) for m in ("config.diff", "reload", "config.diff", "reload", "config.diff")]
    answers = []
    for s in asked:
        with s, s.makefile("rb") as f:
            answers.append(json.loads(f.readline()))
    assert all("result" in a or "restarted" in a["error"]["message"] for a in answers), answers
    assert sum("error" in a for a in answers) >= 2
    assert Rpc(h, "haled").call("ping")["service"] == "haled"
