# SPDX-License-Identifier: Apache-2.0
"""A kind of check that did not come with hale: a program in Python with its manifest in a folder."""
import glob
import json
import os
import shutil
import signal
import sqlite3
import subprocess

import pytest

from conftest import DEADLINE, wait_for

PLUGINS = os.path.join(os.path.dirname(__file__), "../../etc/plugins")


def with_plugins(hale, components, start=True):
    h = hale("plugins: {directories: ['@DIR@/plugins']}\ncomponents:\n" + components, start=False)
    shutil.copytree(PLUGINS, f"{h.dir}/plugins", ignore=shutil.ignore_patterns("__pycache__"))
    os.mkdir(f"{h.dir}/data")
    return h.start() if start else h


TWO = """
  uploads:
    dirsize: {path: "@DIR@/data"}
    interval: 1s
    timeout: 800ms
    thresholds: {size_bytes: {degraded: "> 100"}}
  gone: {dirsize: {path: "@DIR@/nowhere"}, interval: 1s, timeout: 800ms}
"""


def test_the_manifest_that_is_shipped_is_the_programs_own():
    said = subprocess.run([f"{PLUGINS}/hale-check-dirsize", "--describe"], capture_output=True,
                          text=True, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    with open(f"{PLUGINS}/hale-check-dirsize.json") as f:
        assert json.load(f) == json.loads(said.stdout)


def test_a_plugin_is_validated_like_any_kind(hale):
    h = with_plugins(hale, """
  a: {dirsize: {pat: /tmp}}
  b: {dirsize: {path: [1, 2]}}
""", start=False)
    r = h.cli("config", "check", h.config_path)
    out = r.stdout + r.stderr
    assert r.returncode != 0
    assert "did you mean 'path'?" in out and "path: the directory, absolute" in out
    # What only the program itself can know, it is asked.
    h = with_plugins(hale, "  a: {dirsize: {path: data}}\n", start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0 and "'data' is not absolute" in r.stdout + r.stderr
    assert ":4:" in r.stdout + r.stderr or ":3:" in r.stdout + r.stderr


def test_a_plugin_is_judged_shown_documented_and_supervised(hale):
    h = with_plugins(hale, TWO)
    assert h.wait_status("uploads", "healthy")["metrics"] == {"size_bytes": 0, "files": 0}
    assert h.wait_status("gone", "critical")["reason"] == "file_missing"
    with open(f"{h.dir}/data/x", "wb") as f:
        f.write(b"x" * 500)
    c = h.wait_status("uploads", "degraded")
    assert c["reason"] == "threshold" and c["metrics"]["size_bytes"] == 500
    # By hand, with what it shows to who looks on.
    seen = h.json("check", "uploads")
    assert seen["observation"]["outcome"] == "pass" and seen["observation"]["metrics"]["files"] == 1
    assert seen["saw"] == {"path": os.path.realpath(f"{h.dir}/data")}
    # Its documentation.
    kinds = {k["kind"] for k in h.json("kinds")}
    assert {"dirsize", "http", "null"} <= kinds
    text = h.cli("kinds", "dirsize", check=True).stdout
    assert "the directory, absolute" in text and "size_bytes" in text and "file_missing" in text
    schema = json.loads(h.cli("config", "schema", check=True).stdout)
    component = next(iter(schema["properties"]["components"]["patternProperties"].values()))
    assert "path" in component["properties"]["dirsize"]["properties"]
    # Killed, hung: it is started again.
    first = h.process_of("check.dirsize")["pid"]
    h.allow("check.dirsize")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: (lambda p: p["state"] == "ready" and p["pid"] != first)(
        h.process_of("check.dirsize")), "another one runs")
    os.unlink(f"{h.dir}/data/x")
    h.wait_status("uploads", "healthy")
    assert "hale.check.dirsize" in {c["id"] for c in h.status()["components"]}


def test_nothing_a_plugin_says_is_lost_when_haled_dies(hale):
    h = with_plugins(hale, "  uploads: {dirsize: {path: '@DIR@/data'}, interval: 100ms, "
                           "timeout: 80ms}\n")
    h.wait_status("uploads", "healthy")

    def stored():
        with sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True,
                             timeout=DEADLINE) as db:
            return db.execute("SELECT count(*), count(DISTINCT at) FROM v_results "
                              "WHERE component = 'uploads'").fetchone()
    wait_for(lambda: stored()[0] >= 5, "some results are stored")
    h.kill()
    h.start()
    before = stored()[0]
    wait_for(lambda: stored()[0] >= before + 5, "it goes on")
    n, distinct = stored()
    assert n == distinct


ODD = """#!/usr/bin/env python3
import threading
from hale_check import Answer, Kind

looks = threading.Event()


def look(options):
    what = options["what"]
    if what == "hangs":
        if looks.is_set():
            raise SystemError("looked at twice at once")
        looks.set()
        threading.Event().wait()
    if what == "raises":
        raise TimeoutError("of its own")
    return {"nothing": None, "outcome": Answer("fine"), "reason": Answer("fail", "", "So so!"),
            "nan": Answer("pass", metrics={"a": float("nan"), "b": 1}),
            "metric": Answer("pass", metrics={"a": "1"}),
            "details": Answer("pass", details={"a": {1, 2}}),
            "large": Answer("pass", details={"a": "x" * 5_000_000})}[what]


Kind("dirsize", "answers as no plugin should", look,
     options={"what": {"type": "string", "help": "what is wrong with it"}}).main()
"""


def test_what_a_plugin_does_wrong_is_an_error_of_its_component(hale):
    wrong = ("nothing", "outcome", "reason", "metric", "details", "large", "raises", "nan", "hangs")
    h = with_plugins(hale, "".join(f"  {w}: {{dirsize: {{what: {w}}}, interval: 300ms, "
                                   "timeout: 200ms}\n" for w in wrong), start=False)
    with open(f"{h.dir}/plugins/hale-check-dirsize", "w") as f:
        f.write(ODD)
    said = subprocess.run([f"{h.dir}/plugins/hale-check-dirsize", "--describe"], check=True,
                          capture_output=True, text=True)
    with open(f"{h.dir}/plugins/hale-check-dirsize.json", "w") as f:
        f.write(said.stdout)
    h.start()
    for w in wrong[:6]:
        wait_for(lambda w=w: h.component(w)["reason"] == "internal_error", f"{w} is an error")
        assert "the plugin is at fault: " in h.component(w)["message"], w
    wait_for(lambda: h.component("raises")["message"] == "TimeoutError: of its own", "is told")
    assert h.wait_status("nan", "healthy")["metrics"] == {"b": 1}
    c = h.wait_status("hangs", "down")
    assert c["reason"] == "timeout"
    # Asked by hand meanwhile it does not look a second time.
    assert h.json("check", "hangs")["observation"]["reason"] == "timeout"
    assert h.process_of("check.dirsize")["restarts"] == 0


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    yield
    assert not glob.glob(f"{PLUGINS}/__pycache__"), "a test wrote into the source"
