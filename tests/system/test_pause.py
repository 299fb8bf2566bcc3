# SPDX-License-Identifier: Apache-2.0
"""Monitoring is paused: nothing is checked, no alert moves, everything else goes on (C-59)."""
import os
import re

from conftest import Rpc, wait_for

CONFIG = """components:
  api: {http: {url: '%s/api'}, interval: 200ms, timeout: 150ms, label: API}
  db: {null: {file: '@DIR@/db'}, interval: 200ms, timeout: 150ms}
%salerts:
  channels: {hook: {webhook: {url: '%s/hook'}, rate: 0}}
  rules: [{name: each, type: status_change, components: [api, db], cooldown: 0s, repeat: 1s,
           channels: [hook]}]
"""


def tell(h, name, text):
    with open(f"{h.dir}/{name}.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/{name}.new", f"{h.dir}/{name}")


def hits(sink, path):
    with sink.lock:
        return len([r for r in sink.requests if r["path"] == path])


def begun(hale, sink, more=""):
    h = hale(CONFIG % (sink.url, more, sink.url), start=False)
    tell(h, "db", "fail no disk")
    h.allow("monitoring is paused", "Failed to send alert")
    h.start()
    h.wait_status("db", "critical")
    h.wait_status("api", "healthy")
    wait_for(lambda: hits(sink, "/hook") > 0, "somebody was told")
    return h


def open_alerts(h):
    return Rpc(h, "notifier").call("alerts.list", state="open")["alerts"]


def pids(h):
    return {p["name"]: p["pid"] for p in h.status()["processes"]}


def wait_idle(h):
    wait_for(lambda: {p["state"] for p in h.status()["processes"]
                      if p["name"].startswith("check.")} == {"stopped"}, "checkers idle")


def test_a_pause_freezes_checks_and_alerts_and_nothing_else(hale, sink):
    h = begun(hale, sink, "  job: {null: {outcome: pass}, interval: 300ms, timeout: 100ms}\n")
    alerts = open_alerts(h)
    assert [a["component"] for a in alerts] == ["db"]
    before = pids(h)
    r = h.cli("pause", "--for", "1h", "--reason", "a new disk", check=True)
    assert "paused until" in r.stdout and "a new disk" in r.stdout
    wait_idle(h)
    was = hits(sink, "/api"), hits(sink, "/hook")
    tell(h, "db", "pass")
    # Three intervals, the timeout and the reminder's second go by.
    head = h.status()["head"]
    wait_for(lambda: h.json("status")["monitoring"]["reason"] == "a new disk"
             and Rpc(h, "haled").call("ping")["uptime_ms"], "alive")
    end = Rpc(h, "haled").call("ping")["uptime_ms"] + 2500
    wait_for(lambda: Rpc(h, "haled").call("ping")["uptime_ms"] > end, "time goes by")
    assert (hits(sink, "/api"), hits(sink, "/hook")) == was, "FB sees no hits, nobody is told"
    status = h.status()
    assert status["status"] == "unknown" and status["monitoring_active"] is False
    assert h.component("db")["status"] == "critical" and h.component("api")["status"] == "healthy"
    assert open_alerts(h) == alerts
    assert status["head"] - head < 10, "no component line was published"
    assert h.cli("status").returncode == 3
    assert {k: v for k, v in pids(h).items() if not k.startswith("check.")} == \
        {k: v for k, v in before.items() if not k.startswith("check.")}
    code, body, _ = h.get("/health")
    assert code == 503 and '"monitoring_active":false' in body and '"unknown"' in body
    assert "hale_monitoring_active 0\n" in h.get("/metrics")[1]
    assert h.get_json("/api/v1/health", token="secret-token")[1]["monitoring_active"] is False
    # A restart of a checker would be behind the operator's back.
    r = h.cli("restart", "check.null")
    assert r.returncode != 0 and "monitoring is paused" in r.stderr
    h.cli("resume", check=True)
    h.wait_ready()
    h.wait_status("db", "healthy")
    wait_for(lambda: open_alerts(h) == [], "resolved")
    wait_for(lambda: "hale_monitoring_active 1\n" in h.get("/metrics")[1], "and metrics")
    with_unknown = [t for t in h.cli("events", "-n", "200").stdout.splitlines() if "unknown" in t
                    and "api" in t and "unknown → healthy" not in t]
    assert not with_unknown, "nothing was overdue"


def test_a_pause_survives_haled_and_what_is_removed_meanwhile_ends_after_it(hale, sink):
    h = begun(hale, sink)
    h.cli("pause", check=True)
    wait_idle(h)
    alerts = open_alerts(h)
    h.kill()
    h.start(ready=False)
    wait_for(lambda: h.status()["monitoring_active"] is False, "still paused")
    wait_idle(h)
    wait_for(lambda: h.process_of("notifier")["state"] == "ready", "notifier")
    # The notifier starts anew in the midst of it, too.
    h.cli("restart", "notifier", check=True)
    was = hits(sink, "/hook")
    text = CONFIG % (sink.url, "", sink.url)
    h.write("\n".join(line for line in text.split("\n") if not line.startswith("  db:")))
    assert "- components.db: " in h.cli("reload", "--no-wait", check=True).stdout
    wait_idle(h)
    assert open_alerts(h) == alerts and hits(sink, "/hook") == was
    h.kill()
    h.start(ready=False)
    wait_idle(h)
    wait_for(lambda: open_alerts(h) == alerts, "still there")
    h.cli("resume", check=True)
    h.wait_ready()
    wait_for(lambda: open_alerts(h) == [], "it is not watched any more")
    h.wait_status("api", "healthy")


def test_a_pause_ends_by_itself_and_the_api_can_do_it(hale, sink):
    h = begun(hale, sink)
    h.cli("pause", "--for", "1s", check=True)
    wait_for(lambda: h.status()["monitoring_active"], "over")
    h.wait_ready()
    h.wait_status("db", "critical")
    assert h.get("/api/v1/monitoring/stop", method="POST")[0] == 401
    code, _ = h.get_json("/api/v1/monitoring/stop", method="POST", token="secret-token")
    assert code == 200 and h.status()["monitoring_active"] is False
    code, answer = h.get_json("/api/v1/monitoring/start", method="POST", token="secret-token")
    assert code == 200 and answer["result"]["active"] is True
    h.wait_ready()
    wait_for(lambda: {"monitoring_paused", "monitoring_resumed"} <= set(
        re.findall(r"monitoring_\w+", h.cli("events", "-n", "200").stdout)), "both in the store")


def test_what_was_removed_while_haled_was_down_is_resolved_at_its_start(hale, sink):
    h = begun(hale, sink)
    assert h.stop() == 0
    text = CONFIG % (sink.url, "", sink.url)
    h.write("\n".join(line for line in text.split("\n") if not line.startswith("  db:")))
    h.start()
    wait_for(lambda: open_alerts(h) == [], "its alert is resolved")
    # And after a kill, when only the journal knows of the last change.
    h.write(text)
    h.cli("reload", check=True)
    h.wait_status("db", "critical")
    wait_for(lambda: [a["component"] for a in open_alerts(h)] == ["db"], "open again")
    h.kill()
    h.write("\n".join(line for line in text.split("\n") if not line.startswith("  db:")))
    h.start()
    wait_for(lambda: open_alerts(h) == [], "resolved again")
