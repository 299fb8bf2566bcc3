# SPDX-License-Identifier: Apache-2.0
"""The notifier tells people: the right words, at the right time, once, whatever stands in its way."""
import hashlib
import hmac
import json
import os
import signal
import time

from conftest import Rpc, wait_for

CRASH = [r"process ended unexpectedly", r"process is crash-looping"]
FAILED = r"Failed to send alert"


def config(alerts, **components):
    """Components that answer what a file says; name = further options."""
    lines = ["components:"]
    for name, extra in components.items():
        lines.append(f"  {name}: {{null: {{file: '@DIR@/{name}'}}, interval: 250ms,"
                     f" timeout: 200ms, label: {name.title()}{extra}}}")
    return "\n".join(lines) + "\nalerts:\n" + alerts


def tell(h, name, text):
    """Atomically, as a checker may read at any moment."""
    with open(f"{h.dir}/{name}.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/{name}.new", f"{h.dir}/{name}")


def begun(hale, alerts, *allowed, env=None, **components):
    h = hale(config(alerts, **components), start=False)
    h.allow(*allowed)
    h.env.update(env or {})
    for name in components:
        tell(h, name, "pass fine")
    h.start()
    wait_for(lambda: all(c["status"] == "healthy" for c in h.status()["components"]), "all healthy")
    # Only what comes from here on can be news to the notifier.
    head = h.status()["head"]
    wait_for(lambda: Rpc(h, "notifier").call("notifier.status")["cursor"]["seq"] >= head,
             "the notifier has heard of it")
    return h


def posts(sink, path=None):
    with sink.lock:
        return [r for r in sink.requests if path is None or r["path"] == path]


def wait_posts(sink, n, path=None):
    wait_for(lambda: len(posts(sink, path)) >= n, f"{n} messages")
    return posts(sink, path)


def webhook(sink, rest=""):
    return f"  channels: {{hook: {{webhook: {{url: '{sink.url}/hook'{rest}}}, rate: 0}}}}\n"


EACH = ("  rules: [{name: each, type: status_change, components: ['*pay*', db], cooldown: 0s,"
        " channels: [hook]}]\n")


# ---- what is said ----

def test_the_overall_status_in_the_words_people_know(hale, sink):
    h = begun(hale, webhook(sink) + "  rules: [{name: overall, type: status_change,"
              " cooldown: 0s}]\n", gateway="", proxy="")
    tell(h, "proxy", "warn Slow")
    first = json.loads(wait_posts(sink, 1)[0]["body"])
    tell(h, "gateway", "fail Disconnected")
    wait_posts(sink, 2)
    tell(h, "proxy", "down Not reachable")  # no news: the whole is critical already
    h.wait_status("proxy", "down")
    tell(h, "gateway", "pass")
    h.wait_status("gateway", "healthy")
    tell(h, "proxy", "pass")
    wait_for(lambda: sink.bodies()[-1]["recovered"], "recovered")
    assert [b["message"] for b in sink.bodies()] == [
        "🟡 DEGRADED: Proxy: Slow", "🔴 CRITICAL: Gateway: Disconnected",
        "🟢 RECOVERED: All systems healthy"]
    assert first["title"] == "" and first["rule"] == "overall" and first["component"] is None
    assert first["status"] == "degraded" and first["previous"] == "healthy"
    assert first["event"] == "alert" and first["severity"] == "warning"
    assert sink.bodies()[1]["severity"] == "critical"
    assert sink.bodies()[-1]["event"] == "recovery"
    # All of it is one story: the alert opened, changed, and resolved.
    alert = sink.bodies()[-1]["alert"]
    assert alert["state"] == "resolved" and alert["resolved"] > alert["opened"]


def test_a_critical_start_is_told_a_healthy_one_is_not(hale, sink):
    alerts = webhook(sink)  # no rules: the overall status goes to all channels
    h = hale(config(alerts, gateway=""), start=False)
    tell(h, "gateway", "fail Disconnected")
    h.start()
    body = json.loads(wait_posts(sink, 1)[0]["body"])
    assert body["message"] == "🔴 CRITICAL: Gateway: Disconnected" or "DOWN" in body["message"]
    assert body["rule"] == "overall"


def test_component_failures_after_three_and_the_recovery(hale, sink):
    h = begun(hale, webhook(sink) + "  rules: [{name: parts, type: component_failures,"
              " failures: 3, components: ['pay*']}]\n", payments="", books="")
    tell(h, "books", "fail not asked for")
    tell(h, "payments", "fail card refused")
    body = json.loads(wait_posts(sink, 1)[0]["body"])
    assert body["title"] == "🚨 Payments is UNHEALTHY"
    assert body["message"] == "Status: critical\nMessage: card refused\nFailures: 3"
    assert body["component"]["id"] == "payments" and body["severity"] == "high"
    assert body["component"]["consecutive_failures"] == 3
    tell(h, "payments", "pass works")
    body = json.loads(wait_posts(sink, 2)[1]["body"])
    assert body["title"] == "🟢 Payments has RECOVERED"
    assert body["message"] == "Status: healthy\nMessage: works" and body["severity"] == "info"
    # What the rule is not about failed all the time.
    wait_for(lambda: h.component("books")["consecutive_failures"] > 3, "many failures")
    assert len(posts(sink)) == 2


def test_cooldown_defers_and_does_not_lose(hale, sink):
    h = begun(hale, webhook(sink) + "  rules: [{name: overall, type: status_change,"
              " cooldown: 8s}]\n", gateway="", proxy="", other="")
    tell(h, "gateway", "fail Disconnected")
    wait_posts(sink, 1)
    tell(h, "gateway", "pass")
    wait_posts(sink, 2)
    # Again within the cooldown of "critical", and more than before.
    tell(h, "gateway", "fail Disconnected")
    h.wait_status("gateway", "critical")
    tell(h, "proxy", "fail Not reachable")
    h.wait_status("proxy", "critical")
    got = wait_posts(sink, 3)
    texts = [json.loads(r["body"])["message"] for r in got]
    assert texts == ["🔴 CRITICAL: Gateway: Disconnected", "🟢 RECOVERED: All systems healthy",
                     "🔴 CRITICAL: Gateway: Disconnected, Proxy: Not reachable"]
    assert got[2]["time"] - got[0]["time"] > 7.5
    # What is over before it may be told is not told.
    tell(h, "gateway", "pass")
    tell(h, "proxy", "pass")
    assert json.loads(wait_posts(sink, 4)[3]["body"])["recovered"]
    tell(h, "gateway", "fail again")
    h.wait_status("gateway", "critical")
    tell(h, "gateway", "pass")
    h.wait_status("gateway", "healthy")
    end = got[2]["time"] + 8.5
    wait_for(lambda: time.monotonic() > end, "the cooldown is over")
    assert len(posts(sink)) == 4


def test_templates_are_jq(hale, sink):
    h = begun(hale, webhook(sink, ", body: '{text: .message, who: .component.id}'") +
              "  rules:\n    - name: each\n      type: status_change\n      components: [pay]\n"
              "      cooldown: 0s\n      title: '\"\\(.component.label)!\"'\n"
              "      message: 'if .recovered then \"good again\" else .component.message + \"?\""
              " end'\n", pay="")
    tell(h, "pay", "fail no \"money\" – none")
    tell_body = json.loads(wait_posts(sink, 1)[0]["body"])
    assert tell_body == {"text": "no \"money\" – none?", "who": "pay"}
    tell(h, "pay", "pass")
    assert json.loads(wait_posts(sink, 2)[1]["body"])["text"] == "good again"


def test_alerts_behind_a_broken_one_are_held_back(hale, sink):
    h = begun(hale, webhook(sink) + EACH, db="", pay=", depends_on: [db]",
              repay=", depends_on: [pay]")
    tell(h, "db", "down gone")
    wait_posts(sink, 1)
    tell(h, "pay", "fail no database")
    tell(h, "repay", "fail no payments")
    h.wait_status("repay", "critical")
    c = h.wait_status("pay", "critical")
    assert c["blocked_by"] == "db" and h.component("repay")["blocked_by"] in ("db", "pay")
    tell(h, "repay", "pass")  # over before anyone had to know
    h.wait_status("repay", "healthy")
    tell(h, "db", "pass back")
    got = wait_posts(sink, 3)
    told = [(json.loads(r["body"])["alert"]["component"], json.loads(r["body"])["status"])
            for r in got]
    assert told == [("db", "down"), ("db", "healthy"), ("pay", "critical")], told
    tell(h, "pay", "pass")
    wait_posts(sink, 4)
    assert [b["alert"]["component"] for b in sink.bodies()] == ["db", "db", "pay", "pay"]


# ---- channels ----

def test_telegram(hale, sink):
    sink.answer = lambda path, n: (
        (429, b'{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 2",'
              b'"parameters":{"retry_after":2}}') if n == 1 else (200, b'{"ok":true,"result":{}}'))
    h = begun(hale, "  channels: {ops: {telegram: {token: '123:${TG_SECRET}', chat: '-100200',"
              f" base_url: '{sink.url}'}}}}}}\n  retry: {{first: 50ms}}\n"
              "  rules: [{name: parts, type: component_failures, failures: 1}]\n", FAILED,
              env={"TG_SECRET": "tele-secret"}, pay="")
    tell(h, "pay", "fail card <refused> & *lost*")
    first, second = wait_posts(sink, 2)
    assert first["path"] == "/bot123:tele-secret/sendMessage" and first["method"] == "POST"
    body = json.loads(second["body"])
    assert body["chat_id"] == "-100200" and "parse_mode" not in body
    assert body["text"].startswith("🚨 Pay is UNHEALTHY\nStatus: critical\nMessage: card <refused>")
    assert second["time"] - first["time"] > 1.9  # as it asked
    assert first["body"] == second["body"]
    wait_for(lambda: "Too Many Requests" in h.logs(), "the refusal is in the log")
    assert "tele-secret" not in h.logs() + h.cli("-o", "json", "alerts", "-a").stdout


def test_log_channel(hale):
    h = begun(hale, "  channels: {file: {log: {file: '@DIR@/alerts.log'}}, own: {log: {}}}\n"
              "  rules: [{name: overall, type: status_change, cooldown: 0s}]\n", pay="")
    tell(h, "pay", "fail broken")
    h.wait_status("pay", "critical")
    wait_for(lambda: os.path.getsize(f"{h.dir}/alerts.log") > 0, "a line")
    with open(f"{h.dir}/alerts.log") as f:
        line = json.loads(f.readline())
    assert "Pay: broken" in line["message"] and line["event"] == "alert"
    wait_for(lambda: "Pay: broken" in h.cli("logs", "notifier").stdout, "in the notifier's log")


def test_webhook_is_signed(hale, sink):
    h = begun(hale, webhook(sink, ", secret: '${HOOK_SECRET}', headers: {X-Shop: tea}") + EACH,
              env={"HOOK_SECRET": "s3cret"}, pay="")
    tell(h, "pay", "fail naïve – ünïcode")
    rq = wait_posts(sink, 1)[0]
    expected = "sha256=" + hmac.new(b"s3cret", rq["body"], hashlib.sha256).hexdigest()
    assert hmac.compare_digest(rq["headers"]["X-Hale-Signature"], expected)
    body = json.loads(rq["body"])
    assert rq["headers"]["X-Hale-Event"] == "alert" and rq["headers"]["X-Shop"] == "tea"
    assert rq["headers"]["Idempotency-Key"] == rq["headers"]["X-Hale-Delivery"] == body["id"]
    assert rq["headers"]["Content-Type"] == "application/json"
    assert body["component"]["message"] == "naïve – ünïcode"
    assert "s3cret" not in h.logs() + h.cli("config", "show").stdout


# ---- what stands in the way ----

def test_a_channel_in_trouble_gets_it_later_and_once(hale, sink):
    sink.answer = lambda path, n: (500, b"no") if n <= 3 else (200, b"ok")
    h = begun(hale, webhook(sink) + "  retry: {first: 50ms, max: 200ms}\n" + EACH, FAILED, pay="")
    tell(h, "pay", "fail one")
    got = wait_posts(sink, 4)
    assert len({r["headers"]["X-Hale-Delivery"] for r in got}) == 1
    assert len({r["body"] for r in got}) == 1
    gaps = [b["time"] - a["time"] for a, b in zip(got, got[1:])]
    assert gaps[0] > 0.03 and max(gaps) < 5
    tell(h, "pay", "pass")
    got = wait_posts(sink, 5)
    assert json.loads(got[4]["body"])["recovered"] and len(got) == 5
    wait_for(lambda: Rpc(h, "notifier").call("notifier.status")["waiting"] == 0, "none waits")
    sent = Rpc(h, "notifier").call("deliveries.list", limit=10)["deliveries"]
    assert [d["status"] for d in sent] == ["sent", "sent"]
    assert sent[1]["attempts"] == 4 and sent[0]["attempts"] == 1
    assert h.logs().count("Failed to send alert") == 3


def test_retry_after_is_kept(hale, sink):
    sink.answer = lambda path, n: (503, b"", {"Retry-After": "3"}) if n == 1 else (200, b"")
    h = begun(hale, webhook(sink) + "  retry: {first: 10ms, max: 20ms}\n" + EACH, FAILED, pay="")
    tell(h, "pay", "fail one")
    first, second = wait_posts(sink, 2)
    assert 2.9 < second["time"] - first["time"] < 10


def test_a_refused_message_does_not_stop_the_others(hale, sink):
    sink.answer = lambda path, n: (400, b"bad") if path == "/hook" and n == 1 else (200, b"")
    h = begun(hale, webhook(sink) + "  retry: {first: 200ms, max: 200ms}\n" + EACH, FAILED,
              pay="", db="")
    tell(h, "pay", "fail one")
    wait_posts(sink, 1)
    tell(h, "db", "fail two")
    wait_for(lambda: {b["alert"]["component"] for b in sink.bodies()[1:]} == {"pay", "db"},
             "both arrive")


def test_a_killed_notifier_loses_and_repeats_nothing(hale, sink):
    gate = {"open": False}
    sink.answer = lambda path, n: (200, b"") if gate["open"] else (500, b"")
    h = begun(hale, webhook(sink) + "  retry: {first: 50ms, max: 100ms}\n" + EACH, FAILED, *CRASH,
              pay="", repay="", db="")
    expected = []

    def change(name, text, status):
        tell(h, name, text)
        h.wait_status(name, status)
        expected.append((name, status))

    def kill():
        before = h.process_of("notifier")
        os.kill(before["pid"], signal.SIGKILL)
        return before["generation"]

    change("pay", "fail a", "critical")
    wait_posts(sink, 1)  # decided, and being tried
    generation = kill()
    change("db", "fail b", "critical")  # while it is away, or just back
    change("pay", "pass", "healthy")
    wait_for(lambda: h.process_of("notifier")["generation"] > generation, "it is back")
    generation = kill()
    change("repay", "fail c", "critical")
    change("db", "pass", "healthy")
    wait_for(lambda: h.process_of("notifier")["generation"] > generation, "it is back again")
    with sink.lock:
        sink.requests.clear()
        gate["open"] = True

    def delivered():
        return [(b["alert"]["component"], b["status"]) for b in sink.bodies()]
    wait_for(lambda: len(delivered()) >= len(expected), "all delivered")
    change("repay", "pass", "healthy")
    wait_for(lambda: delivered()[-1] == ("repay", "healthy"), "the last one")
    assert delivered() == expected
    ids = [r["headers"]["X-Hale-Delivery"] for r in posts(sink)]
    assert len(ids) == len(set(ids))


def test_the_one_being_sent_is_sent_again_under_the_same_id(hale, sink):
    """Killed while the other side has it but has not answered: at least once, and recognisable."""
    h = begun(hale, webhook(sink) + EACH, *CRASH, pay="")
    reached = []

    def answer(path, n):
        if n == 1:
            reached.append(h.process_of("notifier")["pid"])
            os.kill(reached[0], signal.SIGKILL)
        return 200, b""
    sink.answer = answer
    tell(h, "pay", "fail one")
    first, second = wait_posts(sink, 2)
    assert first["headers"]["Idempotency-Key"] == second["headers"]["Idempotency-Key"]
    assert first["body"] == second["body"]


# ---- by command ----

def test_hale_alerts(hale, sink):
    h = begun(hale, webhook(sink) + EACH, pay="")
    assert "no open alerts" in h.cli("alerts", check=True).stdout
    tell(h, "pay", "fail card refused")
    wait_posts(sink, 1)
    r = h.cli("alerts", check=True)
    assert "card refused" in r.stdout and "pay" in r.stdout and "high" in r.stdout
    alert = h.json("alerts")["alerts"][0]
    assert alert["state"] == "open" and alert["component"] == "pay" and alert["count"] == 1
    wait_for(lambda: "sent" in h.cli("alerts", "show", alert["id"][:8], check=True).stdout,
             "its delivery")
    r = h.cli("alerts", "show", alert["id"][:8], check=True)
    assert "hook" in r.stdout and alert["id"] in r.stdout
    tell(h, "pay", "pass")
    wait_posts(sink, 2)
    wait_for(lambda: h.json("alerts")["alerts"] == [], "none open")
    assert h.json("alerts", "-a")["alerts"][0]["state"] == "resolved"
    assert h.cli("alerts", "show", "ffffffff").returncode != 0
    # They are in the history too.
    wait_for(lambda: {"opened", "notified", "resolved"} <= {
        e["kind"] for e in h.get_json("/api/v1/events")[1]["rows"] if e["topic"] == "alert"},
        "stored as events")


def test_hale_notify_test(hale, sink):
    h = begun(hale, f"  channels: {{hook: {{webhook: {{url: '{sink.url}/hook'}}}},"
              " dead: {webhook: {url: 'http://127.0.0.1:1/'}}}\n", pay="")
    r = h.cli("notify", "test", "hook", check=True)
    assert "hook: sent" in r.stdout
    body = sink.bodies()[0]
    assert body["event"] == "test" and "Test message from hale" in body["message"]
    r = h.cli("notify", "test", "dead")
    assert r.returncode == 1 and "dead: failed" in r.stdout and "connect" in r.stdout
    r = h.cli("notify", "test", "hok")
    assert r.returncode != 0 and "no channel 'hok'" in r.stderr
