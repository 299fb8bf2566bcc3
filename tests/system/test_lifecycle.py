# SPDX-License-Identifier: Apache-2.0
"""What haled knows, and who runs, over restarts, reloads and the end."""
import json
import os
import signal
import socket

from conftest import DEADLINE, wait_for
from test_supervision import CRASH, many, tell


def saved_failures(h, name):
    with open(f"{h.state_dir}/health.state") as f:
        return json.load(f)["health"]["components"][name]["failures"]


def test_a_killed_haled_forgets_no_counter(hale):
    """The journal knows c0 from when it turned healthy, the state file knows it better."""
    h = hale("""
components:
  c0: {null: {file: '@DIR@/c0'}, interval: 200ms, timeout: 100ms, degraded_after: 1000,
       critical_after: 1000}
""", start=False)
    tell(h, 0, "pass")
    h.start()
    h.wait_status("c0", "healthy")
    tell(h, 0, "fail again")
    wait_for(lambda: saved_failures(h, "c0") >= 10, "counted and saved")
    h.kill()
    saved = saved_failures(h, "c0")
    h.start()
    c = h.component("c0")
    assert c["status"] == "healthy" and c["consecutive_failures"] >= saved


def test_no_data_is_told_again_after_it_was_over(hale):
    """Whatever else is due only in hours."""
    h = hale("""
components:
  c0: {null: {}, interval: 500ms, timeout: 100ms}
  slow: {null: {}, interval: 1h, timeout: 1s, group: slow}
processes: {check.null: {watchdog: 10m}}
""")
    pid = h.process_of("check.null")["pid"]
    for _ in range(2):
        h.wait_status("c0", "healthy")
        os.kill(pid, signal.SIGSTOP)
        h.wait_status("c0", "unknown")
        os.kill(pid, signal.SIGCONT)


def plugin(h, kind, script):
    """A kind of check from outside: a program and its manifest in a folder."""
    os.makedirs(f"{h.dir}/plugins")
    program = f"{h.dir}/plugins/hale-check-{kind}"
    with open(f"{program}.json", "w") as f:
        json.dump({"manifest": 1, "program": f"hale-check-{kind}", "service": f"check.{kind}",
                   "role": "check", "kind": kind, "summary": "a test's", "options": {},
                   "metrics": []}, f)
    with open(program, "w") as f:
        f.write(f'#!/bin/sh\n[ "$1" = --check ] && exit 0\n{script}\n')
    os.chmod(program, 0o755)


def test_init_hears_of_a_start_that_one_process_does_not_manage(hale):
    h = hale(many(1, "  lame: {lame: {}}\nplugins: {directories: ['@DIR@/plugins']}\n"), start=False)
    h.allow(*CRASH)
    plugin(h, "lame", "exit 75")
    tell(h, 0, "pass")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as init:
        init.bind(f"{h.dir}/init")
        init.settimeout(DEADLINE)
        h.env["NOTIFY_SOCKET"] = f"{h.dir}/init"
        h.start(ready=False)
        assert init.recv(4096) == b"READY=1"
    assert h.process_of("check.lame")["state"] != "ready"
    assert h.process_of("recorder")["state"] == "ready"


def test_what_an_operator_stopped_stays_out_of_the_total_over_a_reload(hale):
    h = hale(many(1))
    tell(h, 0, "pass")
    h.wait_status("c0", "healthy")
    h.cli("stop", "recorder", check=True)
    h.cli("reload", check=True)
    before = h.component("c0")["last_check"]
    wait_for(lambda: h.component("c0")["last_check"] > before, "judged once more")
    assert h.process_of("recorder")["state"] == "stopped"
    assert h.status()["status"] == "healthy"


ICE = "  ice: {null: {}, interval: %s, timeout: 50ms, group: ice}\n"
SLOW_STOP = "processes: {check.null.ice: {watchdog: 10m, stop_timeout: 3s}}\n"


def test_a_process_that_comes_back_is_heard_from_its_first_word(hale):
    h = hale(many(1, ICE % "100ms"), start=False)
    tell(h, 0, "pass")
    h.start()
    wait_for(lambda: h.status()["bus"]["received_lines"] >= 30, "it has said much")
    h.write(many(1))
    h.cli("reload", check=True)
    wait_for(lambda: "check.null.ice" not in [p["name"] for p in h.status()["processes"]], "gone")
    # So slow that nothing but its first results can make it healthy in time.
    h.write(many(1, ICE % "10s"))
    h.cli("reload", check=True)
    h.wait_status("ice", "healthy")


def test_a_process_that_comes_back_while_it_stops_is_started(hale):
    with_ice = many(1, ICE % "1s" + SLOW_STOP)
    h = hale(with_ice, start=False)
    tell(h, 0, "pass")
    h.start()
    os.kill(h.process_of("check.null.ice")["pid"], signal.SIGSTOP)
    h.write(many(1))
    h.process.send_signal(signal.SIGHUP)
    wait_for(lambda: h.process_of("check.null.ice")["state"] == "stopping", "leaving")
    # It is leaving, so nobody can have it back by name.
    assert h.cli("start", "check.null.ice", "--no-wait").returncode != 0
    h.write(with_ice)
    h.process.send_signal(signal.SIGHUP)
    wait_for(lambda: h.process_of("check.null.ice")["generation"] == 2, "started again")
    h.wait_ready()


def test_a_reload_that_cannot_be_applied_changes_nothing(hale):
    h = hale(many(1), start=False)
    h.allow("reload refused")
    tell(h, 0, "pass")
    # The sockets of these processes fit into it; one with a long name does not.
    h.run_dir = f"{h.dir}/{'r' * 50}"
    h.start()
    pids = {p["name"]: p["pid"] for p in h.status()["processes"]}
    # No socket can have this name. c0 leaves with it.
    h.write("components: {other: {null: {}, group: %s}}\n" % ("g" * 32))
    r = h.cli("reload")
    assert r.returncode == 1 and "--run-dir" in r.stderr + r.stdout
    status = h.status()
    assert {p["name"]: p["pid"] for p in status["processes"]} == pids
    assert "c0" in [c["id"] for c in status["components"]]
    assert status["config"]["last_reload_ok"] is False
    h.wait_ready()


def add_plugin(h, kind, script):
    os.mkdir(f"{h.dir}/plugins")
    with open(f"{h.dir}/plugins/hale-check-{kind}.json", "w") as f:
        json.dump({"manifest": 1, "program": f"hale-check-{kind}", "role": "check", "kind": kind,
                   "service": f"check.{kind}", "summary": "a test's own", "options": {}}, f)
    with open(f"{h.dir}/plugins/hale-check-{kind}", "w") as f:
        f.write(f"#!/bin/sh\n{script}\n")
        os.fchmod(f.fileno(), 0o755)


def test_a_reload_asked_for_during_another_reads_the_file_again(hale):
    h = hale(many(1), start=False)
    h.allow("reload refused")
    tell(h, 0, "pass")
    tell(h, 1, "pass")
    h.start()
    # The first one fails, when this kind has thought about it.
    os.mkfifo(f"{h.dir}/fifo")
    add_plugin(h, "slow", f"cat {h.dir}/fifo; echo '{{\"message\": \"never\"}}'; exit 78")
    h.write(many(1, "  odd: {slow: {}}\nplugins: {directories: ['@DIR@/plugins']}\n"))
    h.process.send_signal(signal.SIGHUP)
    fifo = wait_for(lambda: os.open(f"{h.dir}/fifo", os.O_WRONLY | os.O_NONBLOCK),
                    "it has read the file, and thinks")
    h.write(many(2))
    h.process.send_signal(signal.SIGHUP)
    for _ in range(3):
        h.status()  # the signal has been seen
    os.close(fifo)
    wait_for(lambda: "c1" in [c["id"] for c in h.status()["components"]], "the second one worked")
    assert "never" in h.logs()
    assert h.status()["config"]["last_reload_ok"] is True


def test_nothing_is_started_any_more_while_haled_stops(hale):
    h = hale(many(1, ICE % "1s" + SLOW_STOP), start=False)
    tell(h, 0, "pass")
    h.start()
    os.kill(h.process_of("check.null.ice")["pid"], signal.SIGSTOP)
    h.process.send_signal(signal.SIGTERM)
    wait_for(lambda: h.process_of("web")["state"] == "stopped", "its first stage is over")
    r = h.cli("start", "web", "--no-wait")
    assert r.returncode != 0 and "stopping" in r.stderr
    assert h.stop() == 0
