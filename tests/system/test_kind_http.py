# SPDX-License-Identifier: Apache-2.0
"""The kind http against nginx in its manners, a proxy, and a server that misbehaves."""
import contextlib
import email.utils
import gzip
import os
import signal
import subprocess
import threading
import time

import pytest

from conftest import BIN, DEADLINE, Hale, Rpc, free_port, wait_for
from http_servers import Nginx, Odd, Proxy


@pytest.fixture(scope="module")
def servers():
    with contextlib.ExitStack() as stack:
        odd = stack.enter_context(contextlib.closing(Odd()))
        nginx = stack.enter_context(contextlib.closing(Nginx(odd.port)))
        yield nginx, odd


@pytest.fixture
def nginx(servers):
    return servers[0]


@pytest.fixture
def odd(servers):
    servers[1].answers.clear()
    servers[1].asked.clear()
    return servers[1]


@pytest.fixture
def ask(hale):
    """ask(name=options…) gives name -> observation, each checked once; ask.saw has what was seen."""
    class Ask:
        def __init__(self):
            self.saw = {}

        def start(self, timeout="5s", waits=True, **kinds):
            lines = "".join(f"  {name}: {{http: {{{options}}}, interval: 1h, timeout: {timeout}}}\n"
                            for name, options in kinds.items())
            self.hale = hale("components:\n" + lines)
            self.rpc = Rpc(self.hale, "check.http")
            # Each is checked within the first second; from then on by hand alone.
            if waits:
                wait_for(lambda: all(self.hale.component(name)["last_check"] for name in kinds),
                         "first checks")

        def once(self, name):
            answer = self.rpc.call("check.run", component=name)
            self.saw[name] = answer.get("saw")
            return answer["observation"]

        def __call__(self, timeout="5s", **kinds):
            self.start(timeout, **kinds)
            return {name: self.once(name) for name in kinds}
    return Ask()


def assert_is(o, outcome, reason, message=""):
    assert (o["outcome"], o["reason"]) == (outcome, reason), o
    assert message in o["message"], o
    return o


# ---- what is asked ----

def test_what_is_asked_and_by_whom(ask, nginx):
    u = nginx.url("plain")
    seen = ask(
        post=f"url: '{u}/echo', method: POST, body: '{{}}', expect: {{jq: "
             "'.method == \"POST\" and .type == \"application/json\"'}",
        form=f"url: '{u}/echo', method: PUT, body: 'a=1', "
             "headers: {Content-Type: text/plain, Host: other.test}, expect: {jq: "
             "'.type == \"text/plain\" and .host == \"other.test\" and .method == \"PUT\"'}",
        agent=f"url: '{u}/echo', expect: {{jq: '.agent|startswith(\"hale/\")'}}",
        old=f"url: '{u}/echo', http_version: '1.0', expect: {{jq: '.proto == \"HTTP/1.0\"'}}",
        head=f"url: '{u}/ok.json', method: HEAD",
        basic=f"url: '{u}/basic', username: mike, password: pa55",
        wrong=f"url: '{u}/basic', username: mike, password: secret-no",
        token=f"url: '{u}/token', bearer_token: t0ken",
        anonymous=f"url: '{u}/token'",
        forbidden=f"url: '{u}/forbidden'",
        socket=f"url: 'http://name.test/echo', unix_socket: {nginx.dir}/socket, "
               "expect: {jq: '.host == \"name.test\"'}",
        elsewhere=f"url: 'http://name.test/echo', connect_to: '127.0.0.1:{nginx.ports['plain']}', "
                  "expect: {jq: '.host == \"name.test\"'}",
        v4=f"url: 'http://localhost:{nginx.ports['plain']}/echo', ip_version: 4",
        v6=f"url: 'http://localhost:{nginx.ports['plain']}/echo', ip_version: 6")
    for name in ("post", "form", "agent", "old", "head", "basic", "token", "socket", "elsewhere",
                 "v4"):
        assert_is(seen[name], "pass", "ok")
    assert seen["head"]["metrics"]["body_bytes"] == 0
    assert seen["basic"]["metrics"]["auth_ok"] == 1 and seen["token"]["metrics"]["auth_ok"] == 1
    assert "auth_ok" not in seen["agent"]["metrics"]
    for name in ("wrong", "anonymous", "forbidden"):
        assert_is(seen[name], "fail", "http_auth", "expected 2xx")
        assert seen[name]["metrics"]["auth_ok"] == 0
    # nginx listens on IPv4 alone; or this machine has no ::1 at all.
    assert seen["v6"]["outcome"] == "down" and seen["v6"]["reason"] in ("conn_refused", "unreachable",
                                                                        "dns_failed")
    assert "secret-no" not in str(seen) + str(ask.saw) and "t0ken" not in str(ask.saw)


def test_redirects(ask, nginx, odd):
    u = nginx.url("plain")
    odd.answers["/away"] = lambda h: h.answer(302, headers=[
        ("Location", odd.url("/here").replace("127.0.0.1", "localhost"))])
    odd.answers["/here"] = lambda h: h.answer()
    seen = ask(followed=f"url: '{u}/hop1', expect: {{jq: '.status == \"ok\"'}}",
               not_followed=f"url: '{u}/hop1', follow_redirects: false, expect: {{status: 301, "
                            f"headers: {{location: /hop2$/}}}}",
               too_many=f"url: '{u}/hop1', max_redirects: 1",
               round=f"url: '{u}/round'",
               away=f"url: '{odd.url('/away')}', username: mike, password: pa55, "
                    "headers: {Cookie: c=1, X-Mine: '1'}")
    o = assert_is(seen["followed"], "pass", "ok")
    assert o["metrics"]["redirects"] == 2 and o["details"]["final_url"] == f"{u}/ok.json"
    hops = ask.saw["followed"]["http"]["redirects"]
    assert [h["status"] for h in hops] == [301, 302] and hops[0]["location"].endswith("/hop2")
    assert_is(seen["not_followed"], "pass", "ok")
    assert_is(seen["too_many"], "fail", "protocol_error", "(1) redirects")
    assert_is(seen["round"], "fail", "protocol_error", "redirects")
    # Who asks is proven to the host that was meant, and to no other.
    assert_is(seen["away"], "pass", "ok")
    (_, first), (_, second) = odd.asked[-2:]
    assert "Authorization" in first and "Cookie" in first
    assert "Authorization" not in second and "Cookie" not in second and second["X-Mine"] == "1"


# ---- TLS and HTTP/2 ----

def test_tls_and_its_certificates(ask, nginx):
    d = nginx.dir
    ca = f"ca: {d}/ca.pem"
    seen = ask(
        trusted=f"url: '{nginx.url('tls', '/proto')}', tls: {{{ca}}}",
        by_name=f"url: 'https://acme.test/proto', tls: {{{ca}}}, connect_to: "
                f"'127.0.0.1:{nginx.ports['tls']}', expect: {{jq: '.host == \"acme.test\"'}}",
        other_name=f"url: 'https://shop.test/proto', tls: {{{ca}}}, connect_to: "
                   f"'127.0.0.1:{nginx.ports['tls']}'",
        untrusted=f"url: '{nginx.url('tls', '/proto')}'",
        whatever=f"url: '{nginx.url('tls', '/proto')}', tls: {{verify: false}}",
        expired=f"url: '{nginx.url('expired')}', tls: {{{ca}}}",
        expired_shown=f"url: '{nginx.url('expired', '/ok.json')}', tls: {{verify: false}}",
        too_old=f"url: '{nginx.url('old', '/ok.json')}', tls: {{{ca}, min_version: '1.3'}}",
        old_enough=f"url: '{nginx.url('old', '/ok.json')}', tls: {{{ca}, min_version: '1.2'}}",
        anonymous=f"url: '{nginx.url('mutual', '/who')}', tls: {{{ca}}}",
        known=f"url: '{nginx.url('mutual', '/who')}', tls: {{{ca}, cert: {d}/client.pem, "
              f"key: {d}/client.key}}, details: {{who: .who}}",
        plain=f"url: 'https://127.0.0.1:{nginx.ports['plain']}/'")
    o = assert_is(seen["trusted"], "pass", "ok")
    assert o["details"]["tls_version"] == "TLSv1.3" and o["details"]["http_version"] == "2"
    assert "acme.test" in o["details"]["cert_subject"]
    assert "Test CA" in o["details"]["cert_issuer"]
    assert 19 * 86400 < o["metrics"]["cert_expires_seconds"] < 21 * 86400
    assert o["metrics"]["tls_ms"] > 0
    assert ask.saw["trusted"]["http"]["certificate"]["tls"] == "TLSv1.3"
    assert_is(seen["by_name"], "pass", "ok")
    assert_is(seen["other_name"], "fail", "tls_cert", "shop.test")
    assert_is(seen["untrusted"], "fail", "tls_cert")
    assert_is(seen["whatever"], "pass", "ok")
    assert_is(seen["expired"], "fail", "tls_expired")
    assert assert_is(seen["expired_shown"], "pass", "ok")["metrics"]["cert_expires_seconds"] < 0
    assert_is(seen["too_old"], "fail", "tls_version")
    assert assert_is(seen["old_enough"], "pass", "ok")["details"]["tls_version"] == "TLSv1.2"
    assert_is(seen["anonymous"], "fail", "http_status", "HTTP 400")
    assert "checker" in assert_is(seen["known"], "pass", "ok")["details"]["who"]
    assert seen["known"]["metrics"]["auth_ok"] == 1
    assert_is(seen["plain"], "fail", "tls_failed")


def test_a_kept_connection_still_shows_its_certificate(ask, nginx):
    ask.start(kept=f"url: '{nginx.url('tls1', '/proto')}', fresh_connection: false, "
                   f"tls: {{ca: {nginx.dir}/ca.pem}}")
    first = ask.hale.component("kept")
    for _ in range(2):
        o = ask.once("kept")
        assert "tls_ms" in first["metrics"] and "tls_ms" not in o["metrics"]
        assert o["metrics"]["cert_expires_seconds"] == pytest.approx(
            first["metrics"]["cert_expires_seconds"], abs=DEADLINE)
        assert "acme.test" in o["details"]["cert_subject"], o
        assert o["details"]["tls_version"] == "TLSv1.3"


def test_versions_of_http(ask, nginx):
    tls = f"tls: {{ca: {nginx.dir}/ca.pem}}"
    seen = ask(
        h2=f"url: '{nginx.url('tls', '/proto')}', http_version: '2', {tls}, "
           "expect: {jq: '.proto == \"HTTP/2.0\"'}",
        not_h2=f"url: '{nginx.url('tls1', '/proto')}', http_version: '2', {tls}",
        h1=f"url: '{nginx.url('tls', '/proto')}', http_version: '1.1', {tls}, "
           "expect: {jq: '.proto == \"HTTP/1.1\"'}",
        h2c=f"url: '{nginx.url('h2c')}', http_version: h2c, "
            "expect: {jq: '.proto == \"HTTP/2.0\"'}",
        not_h2c=f"url: '{nginx.url('plain', '/ok.json')}', http_version: h2c")
    for name in ("h2", "h1", "h2c"):
        assert_is(seen[name], "pass", "ok")
    assert ask.saw["h2"]["http"]["answer"] == "HTTP/2 200"
    assert_is(seen["not_h2"], "fail", "value_mismatch", "answered by HTTP/1.1, expected HTTP/2")
    assert seen["not_h2c"]["outcome"] in ("fail", "down"), seen["not_h2c"]


# ---- proxies ----

def test_proxies(ask, nginx):
    with contextlib.closing(Proxy()) as proxy:
        login = f"url: 'http://127.0.0.1:{proxy.port}', username: hale"
        plain, tls = nginx.url("plain", "/ok.json"), nginx.url("tls", "/proto")
        ca = f"tls: {{ca: {nginx.dir}/ca.pem}}"
        seen = ask(
            plain=f"url: '{plain}', proxy: {{{login}, password: secret}}",
            tunnel=f"url: '{tls}', {ca}, proxy: {{{login}, password: secret}}",
            wrong=f"url: '{tls}', {ca}, proxy: {{{login}, password: wr0ng}}",
            nobody=f"url: 'https://127.0.0.1:{free_port()}', proxy: {{{login}, password: secret}}",
            excluded=f"url: '{plain}', proxy: {{url: 'http://127.0.0.1:{free_port()}', "
                     "exclude: [127.0.0.1]}",
            gone=f"url: '{plain}', proxy: 'http://127.0.0.1:{free_port()}'")
        assert_is(seen["plain"], "pass", "ok")
        assert_is(seen["tunnel"], "pass", "ok")
        assert "CONNECT 127.0.0.1" in proxy.log() and "GET http://127.0.0.1" in proxy.log()
        assert_is(seen["wrong"], "fail", "auth_failed", "401")
        assert_is(seen["nobody"], "down", "unreachable")
        assert_is(seen["excluded"], "pass", "ok")
        assert_is(seen["gone"], "down", "conn_refused")


def test_the_environment_names_no_proxy(hale, nginx):
    h = hale(f"components: {{a: {{http: {{url: '{nginx.url('plain', '/ok.json')}'}}, "
             "interval: 1s, timeout: 900ms}}\n", start=False)
    dead = f"http://127.0.0.1:{free_port()}"
    h.env = {name: dead for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY")}
    h.start()
    h.wait_status("a", "healthy")


# ---- what is expected ----

def test_what_a_good_answer_looks_like(ask, nginx, odd):
    u = nginx.url("plain", "/ok.json")
    age = email.utils.formatdate(time.time() - 3600, usegmt=True)
    odd.answers["/old"] = lambda h: h.answer(headers=[("Last-Modified", age), ("X-Two", "a"),
                                                      ("X-Two", "b")])
    odd.answers["/page"] = lambda h: h.answer(body=b"<h1>Fatal error 17</h1>")
    old, page = odd.url("/old"), odd.url("/page")
    seen = ask(
        set=f"url: '{u}', expect: {{status: [404, 200-204]}}",
        not_set=f"url: '{u}', expect: {{status: [404, 3xx]}}",
        header=f"url: '{u}', expect: {{headers: {{Content-Type: application/json, server: /^nginx/}}}}",
        no_header=f"url: '{u}', expect: {{headers: {{x-cache: HIT}}}}",
        other_header=f"url: '{u}', expect: {{headers: {{content-type: /html$/}}}}",
        joined=f"url: '{old}', expect: {{headers: {{x-two: 'a, b'}}}}",
        leak=f"url: '{u}', expect: {{not_headers: {{server: ''}}}}",
        no_leak=f"url: '{u}', expect: {{not_headers: {{x-powered-by: '', server: /Apache/}}}}",
        text=f"url: '{page}', expect: {{not_body: Fatal}}",
        regex=f"url: '{page}', expect: {{not_regex: 'error [0-9]+'}}",
        fresh=f"url: '{old}', expect: {{max_age: 2h}}",
        stale=f"url: '{old}', expect: {{max_age: 30m}}",
        dateless=f"url: '{page}', expect: {{max_age: 30m}}",
        small=f"url: '{u}', body_max: 100")
    for name in ("set", "header", "joined", "no_leak", "fresh"):
        assert_is(seen[name], "pass", "ok")
    assert_is(seen["not_set"], "fail", "http_status", "HTTP 200, expected 404 or 3xx")
    assert_is(seen["no_header"], "fail", "value_mismatch", "there is no header x-cache")
    assert_is(seen["other_header"], "fail", "value_mismatch",
              "header content-type: expected /html$/, got application/json")
    assert_is(seen["leak"], "fail", "value_mismatch", "there is a header server: nginx")
    assert_is(seen["text"], "fail", "body_mismatch", "body contains 'Fatal': <h1>Fatal")
    assert_is(seen["regex"], "fail", "body_mismatch", "body matches /error [0-9]+/")
    assert 3590 < seen["fresh"]["metrics"]["age_seconds"] < 3700
    assert_is(seen["stale"], "fail", "stale", "expected at most 30m")
    assert_is(seen["dateless"], "fail", "value_mismatch", "no date")
    assert_is(seen["small"], "fail", "too_large", "100 bytes")


def test_what_a_body_tells(ask, nginx, odd):
    odd.answers["/queue"] = lambda h: h.answer(headers=[("X-Queue", "17")])
    u = nginx.url("plain")
    seen = ask(
        taken=f"url: '{u}/ok.json', metrics: {{positions: '.positions|length'}}, "
              "details: {state: .status, symbols: .positions, none: .nosuch}, "
              "message: '\"\\(.status), \\(.positions|length) positions\"'",
        header=f"url: '{odd.url('/queue')}', metrics: "
               "{queue: '$headers[\"x-queue\"]|tonumber', code: $status}",
        not_json=f"url: '{u}/echo', method: HEAD, details: {{a: .a}}",
        huge=f"url: '{u}/ok.json', details: {{all: '[., .]'}}")
    o = assert_is(seen["taken"], "pass", "ok", "ok, 2 positions")
    assert o["metrics"]["positions"] == 2
    assert o["details"]["state"] == "ok" and o["details"]["symbols"] == ["AAPL", "MSFT"]
    assert "none" not in o["details"]
    gave = {j["program"]: j["gave"] for j in ask.saw["taken"]["jq"]}
    assert gave[".positions|length"] == 2 and gave[".nosuch"] is None
    assert seen["header"]["metrics"]["queue"] == 17 and seen["header"]["metrics"]["code"] == 200
    assert_is(seen["not_json"], "fail", "body_not_json")
    assert_is(seen["huge"], "error", "expression_error", "more than 4096 bytes")


def test_what_hale_check_shows(ask, nginx):
    o = ask(a=f"url: '{nginx.url('plain', '/ok.json')}', compressed: true")["a"]
    saw = ask.saw["a"]["http"]
    assert saw["request"] == f"GET {nginx.url('plain', '/ok.json')}"
    assert saw["answer"] == "HTTP/1.1 200" and saw["headers"]["content-encoding"] == "gzip"
    assert saw["body"].startswith('{"status": "ok"') and 600 == len(saw["body"]) and saw["body"][-1] == "…"
    assert {"connect_ms", "wait_ms", "transfer_ms", "total_ms"} <= set(saw["phases"])
    # 4 KB of one letter pack well.
    assert o["metrics"]["wire_bytes"] < 1000 < 4000 < o["metrics"]["body_bytes"]
    for name in ("connect_ms", "first_byte_ms", "transfer_ms"):
        assert o["metrics"][name] >= 0
    text = ask.hale.cli("check", "a").stdout
    assert "HTTP 200" in text


# ---- limits and logins ----

def test_rate_limits(ask, nginx, odd):
    odd.answers["/draft"] = lambda h: h.answer(headers=[
        ("RateLimit", '"day";r=250;t=60'), ("RateLimit-Policy", '"day";q=1000;w=86400')])
    u = nginx.url("plain")
    seen = ask(market=f"url: '{u}/market', message: '\"Connected, \\(length) markets fetched\"'",
               draft=f"url: '{odd.url('/draft')}'", limited=f"url: '{u}/limited'",
               none=f"url: '{u}/ok.json'")
    # S2-27, S3-14.
    o = assert_is(seen["market"], "pass", "ok", "Connected, 1 markets fetched")
    assert o["metrics"]["rate_limit_used_percent"] == 95
    assert o["metrics"]["rate_limit_remaining"] == 5
    assert seen["draft"]["metrics"]["rate_limit_used_percent"] == 75
    assert seen["draft"]["metrics"]["rate_limit_reset_seconds"] == 60
    assert_is(seen["limited"], "fail", "http_rate_limited", "HTTP 429")
    assert seen["limited"]["details"]["retry_after_seconds"] == 7
    assert "rate_limit_used_percent" not in seen["none"]["metrics"]


def test_a_target_that_a_variable_leaves_empty_is_not_configured(hale):
    h = hale('components: {a: {http: {url: "${HALE_TEST_NO_SUCH_URL:-}"}, interval: 1s}}\n')
    c = wait_for(lambda: (lambda c: c if c["reason"] == "not_configured" else None)(
        h.component("a")), "not configured")
    assert c["status"] == "unknown" and not c["configured"]


def test_a_proxy_of_the_broker_speaks_in_its_own_words(hale, odd):
    """S0-19, S0-20, S0-21."""
    answers = {"good": lambda h: h.answer(), "bad": lambda h: h.answer(503),
               "slow": lambda h: h.hang()}
    odd.answers.update({"/" + name: answer for name, answer in answers.items()})
    urls = {**{name: odd.url("/" + name) for name in answers},
            "gone": f"http://127.0.0.1:{free_port()}/health"}
    h = hale("components:\n" + "".join(
        f"  {name}: {{http: {{url: '{url}'}}, interval: 1s, timeout: 500ms, messages: {{pass: '', "
        "http_status: Unhealthy response, failure: Not reachable}}\n"
        for name, url in urls.items()))
    for name, status, message, error in (("good", "healthy", "", None),
                                         ("bad", "critical", "Unhealthy response", "HTTP 503"),
                                         ("slow", "down", "Not reachable", "after 500ms"),
                                         ("gone", "down", "Not reachable", "refused")):
        c = h.wait_status(name, status)
        assert c["message"] == message, c
        assert error is None or error in c["details"]["error"], c
    assert h.component("slow")["took_ms"] >= 500


# ---- several endpoints ----

def test_several_endpoints_are_one_component(ask, odd):
    odd.answers["/health"] = lambda h: h.answer()
    odd.answers["/api/health"] = lambda h: h.answer(body=b'{"queue": 3}')
    base = f"url: '{odd.url()}'"
    ask.start(api=f"{base}, endpoints: [{{path: /health}}, {{path: /api/health, name: api, "
                  "metrics: {queue: .queue}, expect: {jq: '.queue < 9'}}]")
    o = assert_is(ask.once("api"), "pass", "ok", "2 of 2 endpoints are well")
    m = o["metrics"]
    assert m["availability_percent"] == 100 and m["port_open"] == 1 and m["queue"] == 3
    assert m["health_ms"] > 0 and m["api_ms"] > 0 and m["success_rate_percent"] == 100
    assert sorted(e["endpoint"] for e in ask.saw["api"]["endpoints"]) == ["api", "health"]
    # S2-20: one of two fails: 50 %.
    odd.answers["/api/health"] = lambda h: h.answer(503)
    o = assert_is(ask.once("api"), "warn", "endpoints_fail",
                  "1 of 2 endpoints fail: api: HTTP 503, expected 2xx")
    assert o["metrics"]["availability_percent"] == 50 and o["details"]["failed"] == "api"
    # Of the six requests so far one failed.
    assert o["metrics"]["success_rate_percent"] == pytest.approx(500 / 6)
    odd.answers["/health"] = lambda h: h.answer(500)
    o = assert_is(ask.once("api"), "fail", "http_status", "all 2 endpoints fail: health: HTTP 500")
    assert o["metrics"]["availability_percent"] == 0 and o["metrics"]["port_open"] == 1


def test_endpoints_are_asked_at_once_and_one_that_hangs_hides_no_other(ask, odd):
    both = threading.Barrier(2)

    def together(h):
        both.wait(20)
        h.answer()
    odd.answers.update({"/a": together, "/b": together, "/hangs": lambda h: h.hang(),
                        "/well": lambda h: h.answer()})
    base = f"url: '{odd.url()}'"
    seen = ask(timeout="2s", together=f"{base}, endpoints: [{{path: /a}}, {{path: /b}}]",
               hangs=f"{base}, endpoints: [{{path: /hangs}}, {{path: /well}}]")
    assert_is(seen["together"], "pass", "ok")
    o = assert_is(seen["hangs"], "warn", "endpoints_fail", "hangs: Timed out waiting for the answer "
                                                           "(after 2s)")
    assert o["metrics"]["well_ms"] < 1900 < o["metrics"]["hangs_ms"]
    # C-78: what failed counts with its timeout.
    assert 1000 <= o["metrics"]["average_response_ms"] < 1950
    assert o["metrics"]["p95_response_ms"] == 2000


def test_who_was_stopped_asks_again(ask, odd):
    """The time limit of an endpoint is the checker's own; it was away, not the target."""
    answered = threading.Event()

    def slow(h):
        answered.wait(DEADLINE)
        h.answer()
    odd.answers["/slow"] = slow
    ask.start(timeout="1s", waits=False, api=f"url: '{odd.url()}', endpoints: [{{path: /slow}}]")
    seen = []
    # The schedule's first run may be under way: then it is shared, and as good.
    asking = threading.Thread(target=lambda: seen.append(ask.once("api")))
    before = len(odd.asked)
    asking.start()
    wait_for(lambda: len(odd.asked) > before, "asked")
    pid = ask.hale.process_of("check.http")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        over = time.monotonic() + 1.6
        wait_for(lambda: time.monotonic() > over, "the time is over, and more")
        answered.set()
    finally:
        os.kill(pid, signal.SIGCONT)
    asking.join(DEADLINE)
    assert_is(seen[0], "pass", "ok", "1 of 1 endpoints are well")


def test_a_server_that_is_gone_has_no_port(ask):
    o = ask(gone=f"url: 'http://127.0.0.1:{free_port()}', "
                 "endpoints: [{path: /health}, {path: /api/health}]")["gone"]
    assert_is(o, "down", "conn_refused", "all 2 endpoints fail: health: ")
    assert o["metrics"]["port_open"] == 0 and o["metrics"]["availability_percent"] == 0


def test_one_failure_in_ten_is_ninety_percent(ask, odd):
    count = iter(range(100))
    odd.answers["/"] = lambda h: h.answer(500 if next(count) == 4 else 200)
    odd.answers["/plain"] = lambda h: h.answer()
    ask.start(one=f"url: '{odd.url('/')}', window: 5m", plain=f"url: '{odd.url('/plain')}'")
    # The first run was the schedule's own.
    seen = [ask.once("one") for _ in range(9)]
    assert seen[-1]["metrics"]["success_rate_percent"] == 90
    assert seen[-1]["metrics"]["average_response_ms"] > 0
    assert "success_rate_percent" not in ask.once("plain")["metrics"]


# ---- servers that misbehave ----

def test_servers_that_misbehave(ask, nginx, odd):
    def chunked(h):
        h.send_response(200)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        for part in (b'{"a":', b" [1, 2", b", 3]}"):
            h.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        h.wfile.write(b"0\r\n\r\n")

    def raw(data, then=None):
        def answer(h):
            h.wfile.write(data)
            h.wfile.flush()
            if then:
                then(h)
            h.close_connection = True
        return answer

    def endless(h):
        h.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while not odd.released.is_set():
                h.wfile.write(b"x" * 65536)
        h.close_connection = True

    odd.answers.update({
        "/chunked": chunked, "/endless": endless, "/half": raw(b"HTTP/1.1 200 OK\r\nContent-Length: "
                                                               b"50\r\n\r\n{\"a\""),
        "/bad_chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
        "/garbage": raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "/nothing": raw(b""),
        "/drip": raw(b"HTTP/1.1 200 OK\r\nContent-Le", lambda h: h.hang()),
        "/bomb": lambda h: h.answer(body=gzip.compress(bytes(50 << 20)),
                                    headers=[("Content-Encoding", "gzip")]),
        "/no_gzip": lambda h: h.answer(body=b"this is not gzip",
                                       headers=[("Content-Encoding", "gzip")]),
    })
    jq = "expect: {jq: '.a|length == 3'}"
    names = [n[1:] for n in odd.answers if n != "/chunked"]
    seen = ask(timeout="2s", chunked=f"url: '{nginx.url('plain', '/chunked')}', {jq}",
               **{n: f"url: '{odd.url('/' + n)}', compressed: true" for n in names})
    assert_is(seen["chunked"], "pass", "ok")
    assert_is(seen["endless"], "fail", "too_large")
    assert_is(seen["half"], "fail", "protocol_error")
    assert_is(seen["bad_chunk"], "fail", "protocol_error")
    assert_is(seen["garbage"], "fail", "protocol_error")
    assert_is(seen["nothing"], "down", "conn_closed")
    assert_is(seen["drip"], "down", "timeout_read")
    assert_is(seen["bomb"], "fail", "too_large")
    assert_is(seen["no_gzip"], "fail", "protocol_error")


def test_mistakes_are_found_before_they_are_made():
    h = Hale("""components:
  a: {http: {url: 'http://a', endpoints: [{path: /x, url: 'http://b'}, {path: /p95-response}]}}
  b: {http: {url: 'http://a', bearer_token: t, username: u, tls: {key: /k}}}
  c: {http: {url: 'http://a', expect: {headers: {x: '/(/'}}, metrics: {a: '$nosuch'}, message: '.a |'}}
  d: {http: {url: 'http://a', endpoints: [{path: /a}, {path: /a/}], metrics: {x: .x}}}
""")
    try:
        r = subprocess.run([f"{BIN}/haled", "--check", "--config", h.config_path], text=True,
                           capture_output=True)
    finally:
        h.close()
    said = r.stdout + r.stderr
    assert r.returncode != 0
    for text in ("an endpoint has a path, or a url of its own", "'p95_response' is the name of a "
                 "metric of the whole", "one login is enough", "the certificate (tls.cert)",
                 "Unmatched ( or \\(", "$nosuch is not defined", "not a jq program",
                 "'a' is the name of another endpoint", "give them to the endpoint"):
        assert text in said, (text, said)
