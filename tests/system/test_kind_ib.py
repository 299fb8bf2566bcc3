# SPDX-License-Identifier: Apache-2.0
"""The kind ib against a server that speaks the TWS API."""
import pytest

from conftest import free_port, wait_for
from tws import Gateway


@pytest.fixture
def gateway():
    made = []

    def make(*args, **kw):
        made.append(Gateway(*args, **kw))
        return made[-1]
    yield make
    for g in made:
        g.close()


def ib(name, port, more="", extra=""):
    return (f"  {name}: {{ib: {{address: '127.0.0.1:{port}', client_id: 7{more}}}, interval: 1s, "
            f"timeout: 700ms{extra}}}\n")


def test_a_gateway_in_its_manners(hale, gateway):
    manners = {m: gateway(m) for m in ("ok", "silent", "waiting", "lost", "taken", "old",
                                       "garbage", "closed")}
    ahead = gateway(offset_s=30, farms_broken=True)
    h = hale("components:\n" + "".join(ib(m, g.port) for m, g in manners.items()) +
             ib("refused", free_port()) +
             ib("mine", manners["ok"].port, ", account: DU222") +
             ib("other", manners["ok"].port, ", account: DU333") +
             ib("ahead", ahead.port, "", ", thresholds: {clock_offset_seconds: {degraded: '> 5'}}"))

    def told(name, status, reason, message):
        c = wait_for(lambda: (lambda c: c if c["reason"] == reason else None)(h.component(name)),
                     f"{name} {reason}")
        assert (c["status"], message in c["message"]) == (status, True), c
        return c
    ok = told("ok", "healthy", "ok", "CONNECTED")
    assert ok["message"] == "CONNECTED" and ok["details"]["state"] == "CONNECTED" and ok["details"]["client_id"] == 7
    assert ok["details"]["host"] == "127.0.0.1" and ok["details"]["port"] == manners["ok"].port
    assert ok["details"]["connection_time"] == "20261122 10:00:00 EST"
    assert "disconnected_at" not in ok["details"]
    m = ok["metrics"]
    assert m["connected"] == 1 and m["server_version"] == 176 and m["accounts"] == 2
    assert abs(m["clock_offset_seconds"]) <= 2 and m["rtt_ms"] > 0 and m["farms_down"] == 0
    assert manners["ok"].ranges[0] == "v100..176" and set(manners["ok"].logins) == {7}
    c = told("silent", "down", "timeout_read", "after 700ms")
    assert c["details"]["state"] == "DISCONNECTED" and c["metrics"]["connected"] == 0
    c = told("waiting", "degraded", "ib_connecting", "CONNECTING (after 700ms)")
    assert c["details"]["state"] == "CONNECTING" and c["metrics"]["server_version"] == 176
    c = told("lost", "degraded", "ib_connecting", "CONNECTING: Connectivity between IB and")
    c = told("taken", "critical", "client_id_in_use", "client id 7 is already in use")
    c = told("old", "critical", "protocol_error", "no version between 100 and 176 came: twelve")
    c = told("garbage", "critical", "protocol_error", "a message of 1213486160 bytes")
    c = told("closed", "down", "conn_closed", "DISCONNECTED")
    c = told("refused", "down", "conn_refused", "DISCONNECTED")
    assert c["details"]["disconnected_at"] and "last_heartbeat" not in c["details"]
    told("mine", "healthy", "ok", "CONNECTED")
    c = told("other", "critical", "value_mismatch", "not among the 2 of this login")
    assert "DU" not in str(c)
    c = told("ahead", "degraded", "threshold", "clock_offset_seconds")
    assert c["details"]["farms_down"] == ["HMDS data farm connection is broken:ushmds"]


def test_connected_connecting_disconnected_and_back(hale, gateway):
    g = gateway()
    h = hale("components:\n" + ib("gw", g.port))
    c = h.wait_status("gw", "healthy")
    since = c["details"]["connected_since"]
    wait_for(lambda: h.component("gw")["metrics"]["connected_seconds"] >= 1, "time passes")
    assert h.component("gw")["details"]["connected_since"] == since
    g.manner = "waiting"
    c = h.wait_status("gw", "degraded")
    assert c["details"]["state"] == "CONNECTING" and c["details"]["last_heartbeat"] >= since
    g.manner = "closed"
    c = h.wait_status("gw", "down")
    assert c["details"]["state"] == "DISCONNECTED" and c["details"]["disconnected_at"] > since
    assert "connected_since" not in c["details"]
    assert c["metrics"]["heartbeat_age_seconds"] > 0
    g.manner = "ok"
    c = h.wait_status("gw", "healthy")
    assert c["details"]["connected_since"] > since and "disconnected_at" not in c["details"]
    # Told by the deadline, the record is of the same mind.
    g.manner = "silent"
    c = h.wait_status("gw", "down")
    assert c["details"]["disconnected_at"] > c["details"]["last_heartbeat"]
    assert "connected_since" not in c["details"]


def test_by_hand_it_shows_what_the_gateway_said(hale, gateway):
    h = hale("components:\n" + ib("gw", gateway().port))
    h.wait_status("gw", "healthy")
    seen = h.json("check", "gw")
    assert seen["saw"]["notices"] == {"code": 2104, "text": "Market data farm connection is OK:usfarm"}
