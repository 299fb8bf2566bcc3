# SPDX-License-Identifier: Apache-2.0
"""The kind systemd against a bus of its own, and a systemd that says what it is told."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
from conftest import DEADLINE, wait_for
from test_checks import assert_is

HERE = os.path.dirname(__file__)


def service(active="active", sub="running", load="loaded", **properties):
    return {"Unit": {"LoadState": load, "ActiveState": active, "SubState": sub,
                     "UnitFileState": "enabled", "ActiveEnterTimestamp": 1_700_000_000_000_000,
                     "ActiveEnterTimestampMonotonic": time.clock_gettime_ns(
                         time.CLOCK_MONOTONIC) // 1000 - 60_000_000},
            "Service": {"Result": "success", "NRestarts": 0, "MainPID": 77, "MemoryCurrent": 1 << 20,
                        "TasksCurrent": 3, "ExecMainStatus": 0, **properties}}


def failed(result="exit-code", status=3):
    return service("failed", "failed", Result=result, ExecMainStatus=status, MainPID=0,
                   MemoryCurrent=(1 << 64) - 1, NRestarts=5)


class Bus:
    """A dbus-daemon with the mock of systemd on it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hale-db", dir="/tmp")
        self.path = f"{self.dir}/bus"
        self.address = f"unix:path={self.path}"
        self.units_path = f"{self.dir}/units.json"
        self.daemon = self.systemd = None
        self.tell({})
        self.start()

    def start_daemon(self):
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        self.daemon = subprocess.Popen(
            ["dbus-daemon", "--session", f"--address={self.address}", "--nofork", "--nopidfile"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: socket.socket(socket.AF_UNIX).connect_ex(self.path) == 0, "bus up")

    def start_systemd(self):
        self.systemd = subprocess.Popen(
            ["/usr/bin/python3", f"{HERE}/mock_systemd.py", self.address, self.units_path],
            stdout=subprocess.PIPE)
        assert self.systemd.stdout.readline() == b"ready\n"

    def start(self):
        self.start_daemon()
        self.start_systemd()

    def stop_systemd(self):
        if self.systemd:
            self.systemd.kill()
            self.systemd.wait()
            self.systemd.stdout.close()
            self.systemd = None

    def stop(self):
        self.stop_systemd()
        if self.daemon:
            self.daemon.send_signal(signal.SIGCONT)
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None

    def tell(self, units):
        with open(self.units_path + ".new", "w") as f:
            json.dump({f"{k}.service" if "." not in k else k: v for k, v in units.items()}, f)
        os.rename(self.units_path + ".new", self.units_path)

    def close(self):
        self.stop()
        shutil.rmtree(self.dir)


@pytest.fixture
def bus():
    b = Bus()
    yield b
    b.close()


def systemd(bus_address, timeout="900ms", interval="1s", **components):
    lines = ["components:"]
    for name, text in components.items():
        lines.append(f"  {name}: {{systemd: {{{text}, bus: '{bus_address}'}},"
                     f" interval: {interval}, timeout: {timeout}}}")
    return "\n".join(lines) + "\n"


TRADER = ["polymarket-trader", "polymarket-dashboard", "polymarket-monitor"]


def test_services_speak_as_their_users_know_them(hale, bus):
    """S3-20, S3-21, S3-22: all, some, none."""
    bus.tell({n: service() for n in TRADER})
    h = hale(systemd(bus.address, services=f"units: [{', '.join(TRADER)}]"))
    c = assert_is(h, "services", "healthy", "ok", "All 3 services running")
    assert c["metrics"]["running"] == 3 and c["metrics"]["failed"] == 0
    assert c["details"]["running"] == TRADER and c["details"]["failed"] == []
    assert c["metrics"]["memory_bytes"] == 3 << 20 and c["metrics"]["tasks"] == 9
    assert 60 <= c["metrics"]["uptime_seconds"] < 60 + 2 * DEADLINE
    bus.tell({**{n: service() for n in TRADER}, TRADER[0]: failed(), TRADER[2]: failed()})
    c = assert_is(h, "services", "degraded", "units_down",
                  "2 services down: polymarket-trader, polymarket-monitor")
    assert c["details"]["failed"] == [TRADER[0], TRADER[2]] and c["metrics"]["restarts"] == 10
    bus.tell({n: failed() for n in TRADER})
    c = assert_is(h, "services", "critical", "unit_down", "All services down")
    assert c["metrics"]["running"] == 0 and c["details"]["units"][TRADER[0]]["exit_status"] == 3
    bus.tell({n: service() for n in TRADER})
    assert_is(h, "services", "healthy", "ok")


def test_one_unit_reads_naturally(hale, bus):
    monotonic = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    bus.tell({
        "nginx": service(), "broken": failed("signal", 11), "off": service("inactive", "dead"),
        "boots": service("activating", "start-pre"), "loops": service("activating", "auto-restart"),
        "turns": service("reloading", "reload"),
        "away": service("inactive", "dead", "masked"),
        "backup.timer": {"Unit": {"LoadState": "loaded", "ActiveState": "active",
                                  "SubState": "waiting"},
                         "Timer": {"Unit": "broken.service", "Result": "success",
                                   "LastTriggerUSec": 1_700_000_000_000_000,
                                   "NextElapseUSecRealtime": 0,
                                   "NextElapseUSecMonotonic": monotonic + 3_600_000_000}},
        "odd.timer": {"Unit": {"LoadState": "loaded", "ActiveState": "active",
                               "SubState": "elapsed"},
                      "Timer": {"Unit": "nowhere.service"}},
        "esc-\\x41@b.mount": {"Unit": {"LoadState": "loaded", "ActiveState": "active",
                                       "SubState": "mounted"}}})
    h = hale(systemd(
        bus.address, nginx="units: nginx", broken="units: [broken.service]", off="units: off",
        wanted_off="units: [off, off2], state: inactive", nosuch="units: nosuch", boots="units: boots",
        either="units: boots, state: [active, activating]", loops="units: loops",
        turns="units: turns", away="units: away", backup="units: backup.timer",
        odd="units: odd.timer", mount="units: 'esc-\\x41@b.mount'",
        more="units: [nginx, boots]", mixed="units: [nginx, backup.timer]"))
    assert_is(h, "nginx", "healthy", "ok", "nginx is active (running)")
    assert_is(h, "broken", "critical", "unit_down", "broken.service is failed (signal)")
    c = assert_is(h, "off", "critical", "unit_down", "off is inactive")
    assert c["message"] == "off is inactive"
    assert_is(h, "nosuch", "critical", "unit_down", "nosuch is not found")
    # One that does not exist is not as it should be, whatever was expected.
    assert_is(h, "wanted_off", "degraded", "units_down", "not as expected: off2 (not found)")
    assert_is(h, "boots", "degraded", "unit_changing", "boots is activating (start-pre)")
    assert_is(h, "either", "healthy", "ok")
    assert_is(h, "loops", "degraded", "unit_changing", "loops is activating (auto-restart)")
    assert_is(h, "turns", "healthy", "ok", "turns is reloading")
    assert_is(h, "away", "critical", "unit_down", "away is inactive (masked)")
    c = assert_is(h, "backup", "healthy", "ok", "backup.timer is active (waiting)")
    timer = c["details"]["units"]["backup.timer"]
    assert timer["triggers"] == "broken.service" and timer["triggered_result"] == "signal"
    assert timer["triggered_active"] == "failed" and timer["triggered_exit_status"] == 11
    assert timer["last_trigger"] == "2023-11-14T22:13:20.000Z" and "next_elapse" in timer
    c = assert_is(h, "odd", "healthy", "ok")
    assert "triggered_result" not in c["details"]["units"]["odd.timer"]
    assert_is(h, "mount", "healthy", "ok", "(mounted)")
    assert_is(h, "more", "degraded", "unit_changing", "1 services changing: boots")
    assert_is(h, "mixed", "healthy", "ok", "All 2 units running")


def test_a_systemd_that_hangs_or_refuses(hale, bus):
    bus.tell({"good": service(), "slow": {"hangs": True},
              "shy": {"error": "org.freedesktop.DBus.Error.AccessDenied"},
              "mute": {"error": "org.freedesktop.DBus.Error.NoReply"}})
    h = hale(systemd(bus.address, good="units: good", shy="units: shy", mute="units: mute",
                     slow="units: [good, slow]") +
             systemd(bus.address, "7s", "8s", slower="units: slow").split("\n", 1)[1])
    assert_is(h, "good", "healthy", "ok")
    assert_is(h, "shy", "unknown", "no_bus", "refuses: so it is told")
    assert_is(h, "mute", "unknown", "no_bus", "twice")
    assert_is(h, "slow", "down", "timeout_read", "(after 900ms)")
    assert_is(h, "slower", "down", "timeout_read", "systemd does not answer")
    assert_is(h, "good", "healthy", "ok")


def test_the_bus_goes_and_comes_back(hale, bus):
    bus.tell({"good": service()})
    h = hale(systemd(bus.address, good="units: good"))
    assert_is(h, "good", "healthy", "ok")
    bus.stop_systemd()
    assert_is(h, "good", "unknown", "no_bus", "no systemd")
    bus.start_systemd()
    assert_is(h, "good", "healthy", "ok")
    bus.stop()
    assert_is(h, "good", "unknown", "no_bus", "cannot connect")
    bus.start()
    assert_is(h, "good", "healthy", "ok")
    # A bus that hangs, with the connection open; and one that hangs at the greeting.
    bus.daemon.send_signal(signal.SIGSTOP)
    c = h.wait_status("good", "down", "unknown")
    assert c["reason"] in ("timeout_read", "no_bus"), c
    assert_is(h, "good", "unknown", "no_bus")
    bus.daemon.send_signal(signal.SIGCONT)
    assert_is(h, "good", "healthy", "ok")
    # In the middle of it all nothing was left open.
    pid = h.process_of("check.systemd")["pid"]
    assert len(os.listdir(f"/proc/{pid}/fd")) < 30


@pytest.mark.parametrize("greeting", [b"", b"REJECTED EXTERNAL\r\n", b"\0\xff" * 5000,
                                      b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n" +
                                      b"l\x02\x01\x01\xff\xff\xff\x7f" * 400],
                         ids=["silence", "rejected", "garbage", "broken message"])
def test_what_is_no_bus(hale, greeting):
    folder = tempfile.mkdtemp(prefix="hale-db", dir="/tmp")
    path = f"{folder}/bus"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        taken = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    peer = listener.accept()[0]
                    taken.append(peer)
                    peer.sendall(greeting)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        h = hale(systemd(f"unix:path={path}", "1500ms", "2s", good="units: good"))
        c = assert_is(h, "good", "unknown", "no_bus")
        assert "bus" in c["message"].lower()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for peer in taken:
        peer.close()
    shutil.rmtree(folder)


def test_the_usual_places(hale, bus):
    """Without `bus` it is where D-Bus says; a user's is where that user's is."""
    bus.tell({"good": service()})
    h = hale("components:\n"
             "  here: {systemd: {units: good}, interval: 1s, timeout: 900ms}\n"
             "  own: {systemd: {units: good, scope: user}, interval: 1s, timeout: 900ms}\n"
             "  other: {systemd: {units: good, scope: user, user: '64999'}, interval: 1s,"
             " timeout: 900ms}\n", start=False)
    h.env = {"DBUS_SYSTEM_BUS_ADDRESS": bus.address,
             "DBUS_SESSION_BUS_ADDRESS": bus.address}
    h.start()
    assert_is(h, "here", "healthy", "ok")
    assert_is(h, "own", "healthy", "ok")
    assert_is(h, "other", "unknown", "no_bus", "/run/user/64999/bus")


def test_what_a_bus_makes_up_is_no_harm(hale, bus):
    """A user's bus is that user's to serve."""
    greatest = (1 << 63) - 1
    bus.tell({"odd.timer": {"Unit": {"LoadState": "loaded", "ActiveState": "active"},
                            "Timer": {"Unit": "of no type", "NextElapseUSecRealtime": greatest}},
              **{f"big{i}": {"Unit": {"LoadState": "loaded", "ActiveState": "active"},
                             "Service": {"MemoryCurrent": greatest}} for i in range(3)}})
    h = hale(systemd(bus.address, odd="units: odd.timer", big="units: [big0, big1, big2]"))
    assert_is(h, "odd", "unknown", "no_bus", "Bad message")
    c = assert_is(h, "big", "healthy", "ok")
    assert c["metrics"]["memory_bytes"] > 2.7e19


def test_check_shows_all(hale, bus):
    bus.tell({"good": service()})
    h = hale(systemd(bus.address, good="units: good"))
    r = h.cli("check", "good", check=True)
    for word in ("good is active (running)", "running", "memory_bytes", "uptime_seconds"):
        assert word in r.stdout, r.stdout


def test_wrong_options_are_explained(hale):
    h = hale("components:\n"
             "  a: {systemd: {units: 'no such'}}\n"
             "  b: {systemd: {units: getty@}}\n"
             "  c: {systemd: {units: a, user: nobody}}\n"
             "  d: {systemd: {units: a, scope: user, user: nosuchuser}}\n", start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0
    for text in ("'no such' is no name of a unit", "is a template", "needs scope: user",
                 "there is no such user here"):
        assert text in r.stdout + r.stderr, r.stdout + r.stderr
