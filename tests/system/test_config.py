# SPDX-License-Identifier: Apache-2.0
"""Wrong configurations are answered with place, caret and advice; none replaces a good one."""
import os
import re
import subprocess

import pytest

from conftest import BIN, wait_for

GOOD = """instance: {name: config-test}
components:
  api:
    http: {url: "http://127.0.0.1:@PORT@/livez", expect: {status: 200, jq: '.status == "ok"'}}
    interval: 5s
    timeout: 2s
  db:
    null: {outcome: pass}
    depends_on: [api]
alerts:
  channels: {ops: {log: {}}}
  rules: [{name: r, type: status_change, channels: [ops]}]
"""

# (what to replace, by what, what the answer must hold: line:column, text, hint)
BROKEN = {
    "unknown_key": ("    interval: 5s", "    intervall: 5s", "5:5", "intervall", "interval"),
    "wrong_type": ("    interval: 5s", "    interval: [1, 2]", "5:15", "", ""),
    "bad_duration": ("    timeout: 2s", "    timeout: 30", "6:14", "30", "30s"),
    "tab": ("    timeout: 2s", "\ttimeout: 2s", "6:1", "tab", ""),
    "duplicate_key": ("    timeout: 2s", "    timeout: 2s\n    timeout: 3s", "7:5", "timeout", ""),
    "missing_secret": ("{log: {}}", '{webhook: {url: "${HALE_NO_SUCH_VARIABLE}"}}', "11:",
                       "HALE_NO_SUCH_VARIABLE", ""),
    "unknown_channel": ("channels: [ops]", "channels: [opps]", "12:", "opps", "ops"),
    "cyclic_depends_on": ("    timeout: 2s", "    timeout: 2s\n    depends_on: [db]", "",
                          "api -> db -> api", ""),
    "bad_jq": (""".status == "ok\"""", """.status == (""", "4:", "jq", ""),
    "bad_cron": ("alerts:", "reconcile:\n  j:\n    source: {sql: {sqlite: {path: /x}, query: x}}\n"
                 "    target: {sqlite: {path: /x}, table: t}\n    key: [a]\n"
                 "    schedule: '61 * * * *'\nalerts:", "15:15", "61", ""),
}


def broken(name):
    old, new, *_ = BROKEN[name]
    assert old in GOOD, name
    return GOOD.replace(old, new, 1)


def check(h):
    return subprocess.run([f"{BIN}/haled", "--check", "--config", h.config_path, "--state-dir",
                           h.dir], capture_output=True, text=True, timeout=60)


def test_a_good_file_is_good(hale):
    h = hale(GOOD, start=False)
    r = check(h)
    assert r.returncode == 0, r.stderr
    assert "good (components: 2, processes: " in r.stdout


@pytest.mark.parametrize("name", BROKEN)
def test_broken(hale, name):
    h = hale(broken(name), start=False)
    _, _, place, text, hint = BROKEN[name]
    r = check(h)
    assert r.returncode == 78, r.stdout + r.stderr
    assert re.search(rf"^{re.escape(h.config_path)}:{place}", r.stderr, re.M), r.stderr
    assert text in r.stderr
    assert re.search(r"^ +\d+ \|.*\n +\| +\^", r.stderr, re.M), "no caret:\n" + r.stderr
    if hint:
        assert re.search(rf"= .*{hint}", r.stderr), r.stderr
    # The same by the CLI, and started: refused, with the same words.
    assert h.cli("config", "check", h.config_path).returncode != 0
    h.start(ready=False)
    assert h.process.wait(60) == 78
    h.process = None
    h.allow(".*")


def test_critical_before_degraded_is_refused_and_never_assumed(hale):
    limits = "    degraded_after: 3\n    critical_after: 2\n    depends_on"
    h = hale(GOOD.replace("    depends_on", limits), start=False)
    r = check(h)
    assert r.returncode == 78
    assert ":10:21: critical_after is less than degraded_after (3)" in r.stderr
    # Given alone, degraded_after is not undone by a default: two failures change nothing.
    failing = GOOD.replace("{outcome: pass}", "{outcome: fail}").replace("    depends_on: [api]",
                                                                         "    degraded_after: 1000")
    h = hale(failing)
    wait_for(lambda: h.component("db")["consecutive_failures"] >= 1, "failed")
    assert h.component("db")["status"] == "unknown"


@pytest.mark.parametrize("text", ["", "# nothing but words\n", "{}\n", "---\n...\n"])
def test_a_file_that_says_nothing_is_refused(hale, text):
    h = hale(GOOD)
    h.allow("reload refused")
    with open(h.config_path, "w") as f:
        f.write(text)
    r = h.cli("reload")
    assert r.returncode == 1 and "the file is empty" in r.stderr
    assert h.component("api")["id"] == "api"


def test_all_errors_are_shown_not_the_first(hale):
    h = hale(GOOD.replace("interval: 5s", "intervall: 5s").replace("[ops]}]", "[opps]}]"),
             start=False)
    r = check(h)
    assert "intervall" in r.stderr and "opps" in r.stderr
    assert "2 errors" in r.stderr


def test_reload_with_each_broken_file_keeps_the_old_one_running(hale):
    h = hale(GOOD)
    h.allow("reload refused")
    h.wait_status("api", "healthy")
    pids = {p["name"]: p["pid"] for p in h.status()["processes"]}
    for name in BROKEN:
        h.write(broken(name))
        r = h.cli("reload")
        assert r.returncode == 1, name
        assert BROKEN[name][3] in r.stderr + r.stdout, (name, r.stderr)
        status = h.status()
        assert status["config"]["last_reload_ok"] is False
        assert {p["name"]: p["pid"] for p in status["processes"]} == pids, name
    code, text, _ = h.get("/metrics")
    wait_for(lambda: "hale_config_last_reload_successful 0" in h.get("/metrics")[1], "metric")
    h.write(GOOD)
    h.cli("reload", check=True)
    assert h.status()["config"]["last_reload_ok"] is True


def test_reload_restarts_only_what_changed(hale):
    h = hale(GOOD)
    h.wait_status("db", "healthy")
    pids = {p["name"]: p["pid"] for p in h.status()["processes"]}
    h.write(GOOD.replace("{outcome: pass}", "{outcome: warn}"))
    h.cli("reload", check=True)
    h.wait_status("db", "degraded")
    h.wait_ready()
    now = {p["name"]: p["pid"] for p in h.status()["processes"]}
    assert now["check.null"] != pids["check.null"]
    for name in ("check.http", "web", "recorder"):
        assert now[name] == pids[name], name
    # A threshold is haled's own matter: nothing restarts at all.
    h.write(GOOD.replace("{outcome: pass}", "{outcome: warn}").replace(
        "    interval: 5s", "    interval: 5s\n    thresholds: {took_ms: {degraded: '>= 0'}}"))
    r = h.json("reload")
    assert r["changed"] == [] and r["started"] == [] and r["stopped"] == []
    h.wait_status("api", "degraded")
    assert {p["name"]: p["pid"] for p in h.status()["processes"]} == now


def test_reload_starts_and_stops_processes_and_components(hale):
    h = hale(GOOD)
    h.write(GOOD + "  extra: {x: 1}\n")
    h.allow("reload refused")
    assert h.cli("reload").returncode == 1
    more = GOOD.replace("alerts:", "  port: {tcp: {address: '127.0.0.1:@PORT@'}, interval: 1s,"
                        " timeout: 500ms}\nalerts:")
    h.write(more)
    assert h.json("reload")["started"] == ["check.tcp"]
    h.wait_status("port", "healthy")
    h.write(GOOD)
    assert h.json("reload")["stopped"] == ["check.tcp"]
    wait_for(lambda: "check.tcp" not in [p["name"] for p in h.status()["processes"]], "gone")
    assert "port" not in [c["id"] for c in h.status()["components"]]


def test_secrets_never_show(hale):
    h = hale(GOOD.replace("{log: {}}", '{webhook: {url: "http://127.0.0.1:1/${MARKER}"}}'),
             start=False)
    h.allow(r"Failed to send alert")  # nobody listens on port 1
    h.env["MARKER"] = "sw0rdfish-marker"
    h.start()
    shown = h.cli("config", "show").stdout
    assert "config-test" in shown and "sw0rdfish" not in shown
    for p in h.status()["processes"]:
        with open(f"/proc/{p['pid']}/cmdline") as f:
            assert "sw0rdfish" not in f.read()
        with open(f"/proc/{p['pid']}/environ") as f:
            assert "sw0rdfish" not in f.read()
    assert "sw0rdfish" not in h.logs() + h.get("/api/v1/health")[1]
    assert not [f for f in os.listdir(h.state_dir) if f.endswith(".json")
                and "sw0rdfish" in open(f"{h.state_dir}/{f}").read()]
