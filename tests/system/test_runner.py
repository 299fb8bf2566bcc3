# SPDX-License-Identifier: Apache-2.0
"""What every checker does, whatever its kind: confirm, limit, doubt this host's own network."""
import socket
import sqlite3
import subprocess
import threading

from conftest import BIN, Rpc, free_port, wait_for
from test_checks import assert_is, when


def outcomes(h, component):
    """Of all stored checks of a component, the oldest first: (time, outcome)."""
    try:
        db = sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True)
        try:
            return [(at / 1000, o) for at, o in db.execute(
                "SELECT at, outcome FROM v_results WHERE component = ? ORDER BY at", (component,))]
        finally:
            db.close()
    except sqlite3.OperationalError:
        return []


def test_an_outage_is_confirmed_within_the_interval(hale):
    port = free_port()
    h = hale(f"""
components:
  shop:
    tcp: {{address: "127.0.0.1:{port}"}}
    interval: 30s
    timeout: 1s
    critical_after: 3
    recover_after: 2
    retry_interval: 200ms
""")
    c = assert_is(h, "shop", "down", "conn_refused")
    assert c["consecutive_failures"] == 3
    # Three checks within a second or so, each stored, and then no more: the interval is long.
    wait_for(lambda: len(outcomes(h, "shop")) == 3, "three checks are stored")
    seen = outcomes(h, "shop")
    assert seen[-1][0] - seen[0][0] < 20, seen
    assert Rpc(h, "check.tcp").call("runner.status")["retries"] == 2


def test_retries_end_when_it_passes(hale, sink):
    """One lost answer of a series is looked into at once, and that is all of it."""
    lost = threading.Event()

    def answer(path, n):
        if not lost.is_set():
            lost.set()
            return 500, b""
        return 200, b"{}"
    sink.answer = answer
    h = hale(f"""
components:
  shop:
    http: {{url: '{sink.url}/'}}
    interval: 30s
    timeout: 1s
    critical_after: 3
    retry_interval: 200ms
""")
    assert_is(h, "shop", "healthy", "ok")
    wait_for(lambda: len(outcomes(h, "shop")) == 2, "two checks are stored")
    assert [o for _, o in outcomes(h, "shop")] == ["fail", "pass"]


def test_without_a_network_nobody_else_is_blamed(hale):
    """A name that does not resolve is another host's; the guard's target is what decides."""
    port = free_port()
    h = hale(f"""
checks:
  connectivity: {{targets: ["127.0.0.1:{port}"], timeout: 1s, interval: 200ms}}
components:
  far: {{tcp: {{address: "nowhere.invalid:80"}}, interval: 30s, timeout: 10s}}
  near: {{tcp: {{address: "127.0.0.1:{free_port()}"}}, interval: 30s, timeout: 10s}}
  uplink: {{tcp: {{address: "127.0.0.1:{port}"}}, interval: 1s, timeout: 500ms}}
""")
    c = assert_is(h, "far", "unknown", "own_network", "This host itself has no network")
    assert c["outcome"] == "error" and "nowhere.invalid" in c["message"], c
    assert_is(h, "near", "down", "conn_refused")  # needs no network to be known
    assert_is(h, "uplink", "down", "conn_refused")
    assert Rpc(h, "check.tcp").call("runner.status")["network"] is False
    assert "no network" in h.process_of("check.tcp")["status_text"]
    # There is one again: the check that was put off is made at once and not in half a minute.
    with socket.create_server(("127.0.0.1", port)):
        since = when(c["last_check"])
        c = assert_is(h, "far", "down", "dns_failed")
        assert when(c["last_check"]) - since < 25, c
        h.wait_status("uplink", "healthy")
        assert Rpc(h, "check.tcp").call("runner.status")["network"] is True


def test_what_hangs_is_named_and_delays_nobody(hale, black_hole):
    """Thirty targets on one port never answer; what is beside them is checked as if they did."""
    hung = "\n".join(f"  hung{i}: {{http: {{url: 'http://127.0.0.1:{black_hole.port}/{i}'}}, "
                     "interval: 1s, timeout: 900ms}" for i in range(30))
    h = hale(f"""
checks: {{per_host: 8}}
components:
{hung}
  self: {{http: {{url: 'http://127.0.0.1:1/'}}, interval: 1s, timeout: 900ms}}
""")
    for i in range(30):
        assert_is(h, f"hung{i}", "down", "timeout_read")
    status = Rpc(h, "check.http").call("runner.status")
    assert status["components"] == 31 and status["timeouts"] >= 30
    # Eight, and every 20 ms eight more; 31 of the host would be begun within 80 ms.
    assert status["queued_ms_max"] < 900, status
    assert_is(h, "self", "down", "conn_refused")


def test_a_bad_target_of_the_guard_is_refused_in_its_place(hale):
    h = hale("""
checks: {connectivity: {targets: ["one.one.one.one:53"]}}
components:
  a: {tcp: {address: "127.0.0.1:1"}, interval: 1s, timeout: 500ms}
""", start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0
    assert "an address in figures and a port" in r.stdout + r.stderr


def test_a_slice_by_hand_is_told_what_does_not_fit():
    r = subprocess.run([f"{BIN}/hale-check-null", "--check"], capture_output=True, text=True,
                       input='{"components": [{"id": "a", "interval": 99999999999}]}')
    assert r.returncode == 78 and "interval: expected at most 4294967295" in r.stdout
