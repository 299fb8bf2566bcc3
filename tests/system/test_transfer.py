# SPDX-License-Identifier: Apache-2.0
"""Export and import by command, out of and into both databases."""
import csv
import io
import json
import subprocess

import pytest

from conftest import BIN, Hale, Rpc, wait_for

CONFIG = """instance: {{node: {node}}}
components:
  c0: {{null: {{}}, interval: 200ms, timeout: 150ms}}
  c1: {{null: {{outcome: fail, message: '=1+1, "quoted"'}}, interval: 200ms, timeout: 150ms}}
store: {store}
"""


def config(node, store="{sqlite: {path: history.db}}"):
    return CONFIG.format(node=node, store=store)


def export(h, *args):
    return h.cli("export", *args, check=True).stdout


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def settle(h):
    """Waits until all that haled has said up to now is stored."""
    status = h.status()

    def stored():
        c = Rpc(h, "recorder").call("store.status")["cursor"]
        return c["epoch"] == status["epoch"] and c["seq"] >= status["head"]
    wait_for(stored, "the store caught up")


def told(h):
    h.wait_status("c0", "healthy")
    h.wait_status("c1", "critical")
    wait_for(lambda: export(h, "-w", "results", "-c", "c0").count('"results"') > 5, "some results")
    return h


@pytest.fixture(scope="module")
def exported():
    """What a hale stored, all of it, after it has gone."""
    h = Hale(config("first"))
    try:
        told(h.start())
        settle(h)
        h.stop()
        r = h.cli("export", "--store", f"{h.state_dir}/history.db", check=True)
        yield h, r.stdout
    finally:
        h.close()


def test_an_export_tells_what_it_is_and_how_much(exported):
    h, text = exported
    rows = rows_of(text)
    assert rows[0]["hale_export"] == 1 and rows[0]["from"] is None
    counts = rows[-1]["counts"]
    assert rows[-1]["hale_export_end"] is True and counts["epochs"] == 1
    for what, n in counts.items():
        assert sum(r.get("what") == what for r in rows) == n
    assert {"results", "transitions", "events", "processes"} <= set(counts)
    results = [r for r in rows if r.get("what") == "results"]
    assert [r["at"] for r in results] == sorted(r["at"] for r in results)
    assert {r["node"] for r in results} == {"first"}
    # Of the time alone that was asked for, and of one component.
    at = results[len(results) // 2]["at"]
    part = rows_of(export(h, "--store", f"{h.state_dir}/history.db", "-w", "results", "--from", at,
                          "-c", "c0"))[1:-1]
    expected = [r for r in results if r["at"] >= at and r["component"] == "c0"]
    assert [r for r in part if r["what"] == "results"] == expected


def test_csv_and_json_hold_the_same(exported):
    h, text = exported
    store = ["--store", f"{h.state_dir}/history.db", "-w", "results"]
    results = [r for r in rows_of(text) if r.get("what") == "results"]
    table = list(csv.DictReader(io.StringIO(export(h, *store, "-f", "csv"), newline="")))
    as_json = json.loads(export(h, *store, "-f", "json"))
    assert len(table) == len(as_json) == len(results)
    for row, line, obj in zip(table, results, as_json):
        assert obj == {k: v for k, v in line.items() if k != "what"}
        assert row["at"] == line["at"] and json.loads(row["metrics"]) == line["metrics"]
        assert row["seq"] == str(line["seq"]) and float(row["took_ms"]) == line["took_ms"]
        message = line["message"] or ""
        assert row["message"] == ("'" if message.startswith("=") else "") + message
    assert any(row["message"].startswith("'=") for row in table)


def test_a_reader_that_goes_is_no_error(exported):
    h, _ = exported
    r = subprocess.run(f"{BIN}/hale export --store {h.state_dir}/history.db -w all | head -n 1; "
                       "echo ${PIPESTATUS[0]}", shell=True, executable="/bin/bash", text=True,
                       capture_output=True)
    assert r.stdout.splitlines()[1] == "0", r
    assert "Sanitizer" not in r.stderr and "cannot" not in r.stderr, r.stderr


def test_what_was_exported_comes_back_to_the_byte(exported, hale, postgres):
    """SQLite to PostgreSQL to SQLite: the same bytes each time, however often."""
    h, text = exported
    postgres.sql("CREATE DATABASE transfer")
    dsn = postgres.dsn.replace("dbname=postgres", "dbname=transfer")
    text = export(h, "--store", f"{h.state_dir}/history.db", "--node", "first")
    second = told(hale(config("second", f"{{postgres: {{dsn: '{dsn}'}}}}")))
    third = told(hale(config("third")))
    for other in (second, third):
        r = other.cli("import", "-", input=text, check=True)
        assert "results" in r.stdout and "already" not in r.stdout, r.stdout
        again = json.loads(other.cli("-o", "json", "import", "-", input=text, check=True).stdout)
        assert again["imported"] == {} and again["present"] == len(text.splitlines()) - 2
        came_back = export(other, "--node", "first")
        assert came_back == text
        text = came_back
        # Its own rows go on beside them.
        settle(other)
        assert '"node":"first"' not in export(other, "--node", other.status()["node"])
    assert "critical" in second.cli("history", "c1", "--since", "1h", check=True).stdout


def test_wrong_lines_are_named_and_all_others_stored(exported, hale):
    _, text = exported
    h = hale(config("fourth"))
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if '"what":"results"' in line)
    lines[at] = lines[at].replace('"status":"', '"status":"un')
    lines[at + 1] = lines[at + 1][:-9]
    r = h.cli("import", "-", input="\n".join(lines) + "\n")
    assert r.returncode == 1
    assert f"standard input:{at + 1}: status: is not what results have there" in r.stderr, r.stderr
    assert f"standard input:{at + 2}: is no JSON object" in r.stderr, r.stderr
    assert "imported" in r.stdout
    stored = rows_of(export(h, "--node", "first"))
    assert sum(s.get("what") == "results" for s in stored) == sum(
        '"what":"results"' in line for line in lines) - 2
    # A part of an export is taken as far as it goes, and said to be one.
    r = h.cli("import", "-", input="\n".join(text.splitlines()[:-1]) + "\n")
    assert r.returncode == 1 and "it is a part of an export" in r.stderr
    for wrong, why in (("", "is empty"), ('{"hale_export":2}\n', "format version 2"),
                       ("at,node\r\n", "is no NDJSON export of hale")):
        r = h.cli("import", "-", input=wrong)
        assert r.returncode == 1 and why in r.stderr, (wrong, r.stderr)


def test_the_store_is_told_of_and_kept(hale):
    h = told(hale(config("fifth")))
    r = h.cli("store", check=True)
    assert "stores" in r.stdout and "history.db" in r.stdout, r.stdout
    assert h.json("store", "status")["backend"] == "sqlite"
    assert "0 rows" in h.cli("store", "purge", check=True).stdout
    assert "buckets" in h.cli("store", "rebuild", "--since", "1h", check=True).stdout
    assert "before" in h.cli("store", "compact", check=True).stdout
    h.cli("stop", "recorder", check=True)
    r = h.cli("store")
    assert r.returncode == 1 and "recorder does not answer: it is stopped" in r.stderr, r.stderr
    # What is stored can be read all the same.
    r = h.cli("uptime", "c0", check=True)
    assert "c0" in r.stdout
    assert "took_ms of c0" in h.cli("history", "c0", "-m", "took_ms", check=True).stdout
