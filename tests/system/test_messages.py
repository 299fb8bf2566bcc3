# SPDX-License-Identifier: Apache-2.0
"""What people read: a component's own words, and one that nothing was configured for."""
from conftest import wait_for


def test_a_component_says_what_its_messages_say(hale):
    h = hale("""
components:
  gateway:
    null: {file: "@DIR@/told", metrics: {ib: 3, db: 2}}
    interval: 1s
    timeout: 800ms
    thresholds: {took_ms: {degraded: "> 400"}}
    messages: {pass: Connected, threshold: Slow response, warn: "Mismatch: IB={ib}, DB={db}",
               failure: "Disconnected ({message})"}
""", start=False)

    def say(text):
        with open(f"{h.dir}/told", "w") as f:
            f.write(text)
    say("pass fine")
    h.start()
    assert h.wait_status("gateway", "healthy")["message"] == "Connected"
    say("warn differ")
    c = h.wait_status("gateway", "degraded")
    assert c["message"] == "Mismatch: IB=3, DB=2" and c["details"]["error"] == "differ"
    say("down gone")
    c = h.wait_status("gateway", "down")
    assert c["message"] == "Disconnected (gone)" and c["details"]["error"] == "gone"
    # The history and the API say the same.
    code, body = h.get_json("/health/gateway")
    assert code == 503 and "Disconnected (gone)" in str(body)


def test_a_target_left_empty_is_shown_and_not_counted(hale):
    h = hale("""
components:
  market:
    http: {url: "${HALE_TEST_MARKET_URL:-}"}
    messages: {not_configured: Client not configured}
  sure: {null: {}, interval: 1s, timeout: 800ms}
""")
    h.wait_status("sure", "healthy")
    c = h.component("market")
    assert (c["status"], c["reason"], c["message"], c["configured"], c["consecutive_failures"]) == (
        "unknown", "not_configured", "Client not configured", False, 0)
    assert not any(p["name"] == "check.http" for p in h.status()["processes"])
    wait_for(lambda: h.status()["status"] == "healthy", "it does not count")
    # Once there is one, a reload is enough.
    h.write("""
components:
  market: {http: {url: "${HALE_TEST_MARKET_URL:-http://127.0.0.1:1/}"}, interval: 1s, timeout: 800ms}
  sure: {null: {}, interval: 1s, timeout: 800ms}
""")
    h.cli("reload", check=True)
    h.wait_status("market", "down")


def test_mistakes_in_messages_are_told_where_they_stand(hale):
    h = hale("""
components:
  a: {null: {}, messages: {pas: fine}}
  b: {null: {}, messages: {pass: "{"}}
""", start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0
    assert "'pas' is no outcome, and no reason of the kind 'null'" in r.stdout + r.stderr
    assert "did you mean 'pass'?" in r.stdout + r.stderr
    assert "a brace is written '{{'" in r.stdout + r.stderr


def test_names_that_nothing_has_are_told(hale):
    """A threshold of a metric that never comes, a group that is no part of a file's name."""
    h = hale("""
components:
  a: {tls: {address: a}, thresholds: {cert_expire_seconds: {degraded: "< 14"}, took_ms: {degraded: "> 5"}}}
  b: {system: {}, thresholds: {disk_root_used_percent: {degraded: "> 1"}, disk_root: {degraded: "> 1"}}}
  c: {http: {url: "http://a", metrics: {orders: .n}}, thresholds: {orders: {degraded: "< 1"}, status_cod: {degraded: "> 1"}}}
  d: {tcp: {address: "a:1"}, group: ../x}
""", start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0
    told = r.stdout + r.stderr
    assert "the kind 'tls' has no metric 'cert_expire_seconds'" in told
    assert "did you mean 'cert_expires_seconds'?" in told
    assert "the kind 'system' has no metric 'disk_root'" in told
    assert "warning: the kind 'http' has no metric 'status_cod' of its own" in told
    assert "group '../x' holds other characters" in told
    assert "3 errors, 1 warning" in told


def test_a_check_that_is_not_made_is_not_run_by_hand(hale):
    h = hale("""
components:
  a: {http: {url: "${HALE_TEST_NOT_SET:-}"}}
  b: {null: {}, enabled: false}
  c: {null: {}}
""")
    r = h.cli("check", "a")
    assert r.returncode == 3 and "a is not configured" in r.stderr
    r = h.cli("check", "b")
    assert r.returncode == 3 and "b is disabled" in r.stderr
