# SPDX-License-Identifier: Apache-2.0
"""What hale remembers, asked for over HTTP: rows, series, uptime, statistics, exports."""
import csv
import datetime
import io
import json
import time

import pytest
from conftest import Hale, Postgres, wait_for

CONFIG = """
components:
  api: {null: {file: '@DIR@/api', metrics: {queue_depth: 7}}, interval: 200ms, timeout: 150ms,
    thresholds: {took_ms: {degraded: '> 2000'}, queue_depth: {critical: '>= 90'}}}
web:
  listen: [{address: '127.0.0.1:@PORT@', public_details: true}]
  tokens: [{name: eyes, token: viewer-token, role: viewer}, {name: all, token: admin-token, role: admin}]
"""
MINUTE, HOUR = 60, 3600
# The past of the fixture: a day and a bit, and nothing of it within the last hour.
BEGIN = -26 * HOUR
OUTAGE = (-12 * HOUR, -12 * HOUR + 30 * MINUTE)


def text(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def past(node, now):
    """An export as another hale would have written it: a check a minute, and one outage."""
    begin, end = now + BEGIN, now - HOUR
    down, up = now + OUTAGE[0], now + OUTAGE[1]
    yield {"hale_export": 1, "hale": "0", "schema": 2, "node": None, "component": None,
           "from": None, "to": None, "what": ["results", "transitions"]}
    yield {"what": "epochs", "node": node, "epoch": "e1", "first_at": text(begin),
           "last_at": text(end)}
    seq = 0
    for n in range(int((end - begin) / MINUTE)):
        at, seq = begin + n * MINUTE, seq + 1
        is_down = down <= at < up
        yield {"what": "results", "at": text(at), "node": node, "component": "api",
               "status": "down" if is_down else "healthy",
               "outcome": "down" if is_down else "pass", "reason": "told",
               "message": "=gone, \"really\"" if is_down else None, "took_ms": 10.0 + n % 10,
               "metrics": {"lag_s": float(n)}, "details": None, "epoch": "e1", "seq": seq}
    for at, was, is_now in ((begin, "unknown", "healthy"), (down, "healthy", "down"),
                            (up, "down", "healthy")):
        for component in ("api", "overall"):
            seq += 1
            yield {"what": "transitions", "at": text(at), "node": node, "component": component,
                   "from": was, "to": is_now, "reason": "told", "message": "told",
                   "epoch": "e1", "seq": seq}
    yield {"hale_export_end": True, "counts": {"epochs": 1, "results": n + 1, "transitions": 6}}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def h(request):
    server = Postgres() if request.param == "postgres" else None
    h = Hale(CONFIG + (f"store: {{postgres: {{dsn: '{server.dsn}'}}}}\n" if server else ""))
    h.server = server
    with open(f"{h.dir}/api", "w") as f:
        f.write("pass fine")
    try:
        h.start()
        h.wait_status("api", "healthy")
        h.now = time.time()
        h.rows = list(past(h.status()["node"], h.now))
        with open(f"{h.dir}/past.ndjson", "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in h.rows)
        h.cli("import", f"{h.dir}/past.ndjson", check=True)
        wait_for(lambda: counted(h) == len(old(h, "results")), "rolled up")
        yield h
    finally:
        h.close()
        if server:
            server.close()


def counted(h):
    """Of the past, in what is computed of it."""
    code, summary = h.get_json("/api/v1/health/metrics/summary?metric=lag_s&timeRange=3d")
    if code != 200:
        return 0
    hours = h.get_json("/api/v1/health/history?metric=lag_s&timeRange=3d&step=1h")[1]
    return min(sum(m["count"] for m in summary["metrics"]),
               sum(p["count"] for one in hours["series"] for p in one["points"]))


def ago(h, **kw):
    return text(h.now - datetime.timedelta(**kw).total_seconds())


def ask(h, path, want=200, **query):
    code, body = h.get_json("/api/v1" + path + "?" + "&".join(
        f"{k.replace('_', '')}={v}" for k, v in query.items()))
    assert code == want, (path, query, code, body)
    if code == 200:
        assert abs(datetime.datetime.fromisoformat(body["at"].replace("Z", "+00:00")).timestamp() -
                   time.time()) < 60
    return body


def old(h, what):
    return [r for r in h.rows if r.get("what") == what]


# ---- rows ----

def test_pages_of_rows_have_each_row_once(h):
    query = {"component": "api", "from": ago(h, days=3), "to": ago(h, minutes=59),
             "limit": 1000}
    page, rows = ask(h, "/health/history", **query), []
    while True:
        rows += page["rows"]
        assert len(page["rows"]) <= 1000 and page["truncated"] == bool(page["cursor"])
        if not page["cursor"]:
            break
        page = ask(h, "/health/history", cursor=page["cursor"], **query)
    assert [r["at"] for r in rows] == [r["at"] for r in reversed(old(h, "results"))]
    down = next(r for r in rows if r["status"] == "down")
    assert down["message"] == '=gone, "really"' and down["outcome"] == "down"
    assert down["metrics"].keys() == {"lag_s"}
    # The last hours alone, in each of the ways to say so; and what is there now.
    assert len(ask(h, "/health/history", timeRange="1h30m", component="api")["rows"]) >= 29
    some = wait_for(lambda: (lambda b: b if b["truncated"] and b["rows"][0]["metrics"] == {
        "queue_depth": 7} else None)(ask(h, "/health/history", hours=1.5, component="api", limit=1)),
        "what was just checked")
    assert some["rows"][0]["status"] == "healthy"
    assert ask(h, "/health/history", timeRange="1h", node="nowhere")["rows"] == []


def test_every_kind_of_row(h):
    for what in ("results", "transitions", "events", "processes", "alerts", "deliveries", "runs",
                 "recoveries"):
        rows = ask(h, "/events", what=what)["rows"]
        assert isinstance(rows, list), what
        assert rows or what in ("alerts", "deliveries", "runs", "recoveries"), what
    kinds = [r["kind"] for r in ask(h, "/events")["rows"]]
    assert "start" in kinds
    told = ask(h, "/events", what="transitions", component="overall", timeRange="7d")["rows"]
    assert ("healthy", "down") in [(r["from"], r["to"]) for r in told]
    assert all(r["component"] == "overall" for r in told)
    assert [r["process"] for r in ask(h, "/events", what="processes", component="web")["rows"]][
        0] == "web"


# ---- series ----

def test_a_series_has_points_and_gaps(h):
    s = ask(h, "/health/history", metric="lag_s", component="api", step="1h",
            **{"from": ago(h, hours=30), "to": ago(h, minutes=1)})
    assert s["metric"] == "lag_s" and s["step_ms"] == HOUR * 1000 and not s["truncated"]
    one, = s["series"]
    points = one["points"]
    assert one["component"] == "api"
    assert [p["at"] for p in points] == sorted(p["at"] for p in points)
    full = [p for p in points if p["count"]]
    assert max(p["count"] for p in full) == 60
    whole = [p for p in full if p["count"] == 60]
    assert all(p["max"] - p["min"] == 59 and abs(p["avg"] - p["min"] - 29.5) < 1e-6 for p in whole)
    assert sum(p["count"] for p in full) == len(old(h, "results"))
    # Nothing is stored of the time after it: the line ends there.
    assert points[-1]["at"] < ago(h, minutes=59)
    few = ask(h, "/health/history", metric="took_ms", timeRange="7d", points=10)
    assert [x["component"] for x in few["series"]] and all(
        len(x["points"]) <= 10 for x in few["series"])


def test_a_summary_has_least_mean_greatest_and_last(h):
    metrics = {(m["component"], m["metric"]): m
               for m in ask(h, "/health/metrics/summary", timeRange="3d")["metrics"]}
    lag = metrics["api", "lag_s"]
    n = len(old(h, "results"))
    assert (lag["count"], lag["min"], lag["max"]) == (n, 0, n - 1)
    assert abs(lag["avg"] - (n - 1) / 2) < 1e-6
    # What is checked now is in a summary of now; of days it is with its first rollup.
    depth, = ask(h, "/health/metrics/summary", metric="queue_depth", timeRange="30m")["metrics"]
    assert depth["last"] == depth["min"] == depth["max"] == 7
    only, = ask(h, "/health/metrics/summary", metric="lag_s", component="api",
                timeRange="3d")["metrics"]
    assert only["metric"] == "lag_s"


def test_what_a_component_measured_comes_with_its_thresholds(h):
    body = ask(h, "/components/api/metrics")
    by_name = {m["name"]: m for m in body["metrics"]}
    depth, took = by_name["queue_depth"], by_name["took_ms"]
    assert (depth["value"], depth["status"], depth["threshold_critical"],
            depth["condition_critical"]) == (7, "healthy", 90, ">= 90")
    assert (took["unit"], took["threshold_warning"], took["threshold_critical"]) == (
        "ms", 2000, None)
    assert not body["stale"]
    ask(h, "/components/nobody/metrics", 404)


# ---- uptime ----

def test_an_outage_of_half_an_hour_shows_in_uptime_and_sla(h):
    day = {"from": ago(h, hours=25), "to": ago(h, hours=1)}
    one, = ask(h, "/health/uptime", component="api", sla=99.9, **day)["components"]
    assert abs(one["uptime_percent"] - 100 * (1 - 30 / (24 * 60))) < 0.01
    assert one["outages"] == 1 and one["ms"]["down"] == 30 * MINUTE * 1000
    assert one["sla"]["is_met"] is False and one["sla"]["budget_left_ms"] < 0
    one, = ask(h, "/health/uptime", component="api", sla=97, **day)["components"]
    assert one["sla"]["is_met"] is True
    names = [c["component"] for c in ask(h, "/health/uptime", **day)["components"]]
    assert names[0] == "overall" and "api" in names
    now = ask(h, "/health/statistics")
    assert now["total_components"] == len(h.status()["components"])
    assert now["healthy_components"] == now["total_components"]
    assert 97.5 < now["uptime_percentage_24h"] < 98
    assert now["uptime_percentage_24h"] == now["uptime_percent"]["24h"]
    assert now["components"]["api"]["24h"] < now["components"]["api"]["7d"] < 98.1


# ---- exports ----

def export(h, **query):
    return h.get("/api/v1/health/export?" + "&".join(f"{k}={v}" for k, v in query.items()),
                 token="admin-token")


def test_exports_are_for_admins(h):
    path = "/api/v1/health/export"
    assert h.get(path)[0] == 401
    assert h.get(path, token="viewer-token")[0] == 403
    code, body, headers = h.get(path, token="admin-token", method="HEAD")
    assert (code, body) == (200, "")
    assert headers["Content-Disposition"].startswith('attachment; filename="hale-results-2')


def test_an_export_has_the_rows_that_history_has(h):
    span = {"from": ago(h, days=7), "to": ago(h, minutes=59), "component": "api"}
    code, body, headers = export(h, format="json", **span)
    assert code == 200 and headers["Content-Type"] == "application/json"
    rows = json.loads(body)
    assert [r["at"] for r in rows] == [r["at"] for r in old(h, "results")]
    code, body, headers = export(h, format="csv", **span)
    assert code == 200 and headers["Content-Type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(body)))
    assert [r["at"] for r in table] == [r["at"] for r in rows]
    # No spreadsheet may take what a check said for a formula.
    assert {r["message"] for r in table} == {"", "'=gone, \"really\""}
    assert json.loads(table[-1]["metrics"]) == rows[-1]["metrics"]
    code, body, headers = export(h, format="ndjson", what="results,transitions", **span)
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[0]["hale_export"] == 1 and lines[-1]["hale_export_end"] is True
    assert lines[-1]["counts"]["results"] == len(rows)
    assert headers["Content-Disposition"].endswith('.ndjson"')
    # It is what an import takes; everything is there already.
    with open(f"{h.dir}/again.ndjson", "w") as f:
        f.write(body)
    said = h.json("import", f"{h.dir}/again.ndjson")
    assert sum(said["imported"].values()) == 0 and said["present"] >= len(rows)


# ---- what is refused ----

def test_bad_questions_are_told_what_is_wrong(h):
    for path, query, name in (
            ("/health/history", "timeRange=soon", "timeRange"),
            ("/health/history", "timeRange=99999d", "timeRange"),
            ("/health/history", "from=2026-02-30", "from"),
            ("/health/history", "from=2026-01-02&to=2026-01-01", "from"),
            ("/health/history", "hours=1&timeRange=1h", "hours"),
            ("/health/history", "limit=10001", "limit"),
            ("/health/history", "cursor=nonsense", "cursor"),
            ("/health/history", "what=all", "what"),
            ("/health/history", "points=5", "points"),
            ("/health/history", "metric=took_ms&limit=5", "limit"),
            ("/health/history", "metric=took_ms&step=1ms", "step"),
            ("/health/history", "metric=took_ms&points=0", "points"),
            ("/health/history", "component=A%20B", "component"),
            ("/health/history", "tenant=x", "tenant"),
            ("/health/uptime", "sla=101", "sla"),
            ("/health/uptime", "limit=1", "limit"),
            ("/health/statistics", "hours=1", "hours"),
            ("/health/metrics/summary", "step=1h", "step"),
            ("/events", "metric=took_ms", "metric")):
        code, body = h.get_json(f"/api/v1{path}?{query}")
        assert code == 400 and body["errorCode"] == "BAD_REQUEST", (query, code, body)
        assert name in body["error"], (query, body)
    for query, name in (("format=xml", "format"), ("what=nothing", "what"),
                        ("format=csv&what=results,events", "CSV"), ("timeRange=x", "timeRange")):
        code, text_, _ = h.get(f"/api/v1/health/export?{query}", token="admin-token")
        assert code == 400 and name in json.loads(text_)["error"], (query, text_)
    for path, query in (("/health/history", "component=nobody"),
                        ("/health/history", "metric=nothing"),
                        ("/health/history", "metric=lag_s&component=nobody"),
                        ("/health/uptime", "component=nobody")):
        code, body = h.get_json(f"/api/v1{path}?{query}")
        assert code == 404 and body["errorCode"] == "NOT_FOUND", (query, code, body)


def test_answers_may_be_shown_again_for_a_while(h):
    def lifetime(**query):
        path = "/api/v1/health/history?" + "&".join(f"{k}={v}" for k, v in query.items())
        return h.get(path)[2]["Cache-Control"]
    assert lifetime(timeRange="1h") == "private, max-age=5"
    assert lifetime(to=ago(h, hours=1)) == "private, max-age=300"


def test_a_store_that_is_not_there_is_a_503():
    other = Hale(CONFIG + "store: {sqlite: {path: '@DIR@/api/history.db'}}\n")
    other.allow("store", "history.db")
    with open(f"{other.dir}/api", "w") as f:
        f.write("pass fine")
    try:
        other.start(ready=False)
        wait_for(lambda: other.get("/readyz")[0] == 200, "the web knows")
        for path in ("/health/history", "/health/uptime", "/health/statistics", "/events",
                     "/health/history?metric=took_ms", "/health/metrics/summary"):
            code, body = other.get_json("/api/v1" + path)
            assert (code, body["errorCode"]) == (503, "STORE_UNAVAILABLE"), (path, body)
        code, body, _ = other.get("/api/v1/health/export", token="admin-token")
        assert code == 503 and "STORE_UNAVAILABLE" in body
        assert other.get("/health")[0] in (200, 503)
    finally:
        other.close()


def test_a_database_that_was_away_is_asked_again(h):
    if h.server is None:
        pytest.skip("SQLite has no server that could stop")
    h.allow("store")
    assert h.get("/api/v1/health/history?limit=1")[0] == 200
    h.server.stop()
    for path in ("/health/history?limit=1", "/health/uptime", "/health/history?metric=lag_s"):
        code, body = h.get_json("/api/v1" + path)
        assert (code, body["errorCode"]) == (503, "STORE_UNAVAILABLE"), (path, body)
        assert "password" not in body["error"] and "dbname" not in body["error"]
    code, body, _ = export(h, timeRange="1h")
    assert code == 503 and "STORE_UNAVAILABLE" in body
    assert h.component("api")["status"] == "healthy" and h.get("/livez")[0] == 200
    h.server.start()
    assert h.get("/api/v1/health/history?limit=1")[0] == 200
    assert export(h, timeRange="30h")[0] == 200
    # What was checked meanwhile is stored, too.
    wait_for(lambda: h.json("store")["backlog"] == 0 and not h.json("store")["error"], "caught up")
