# SPDX-License-Identifier: Apache-2.0
"""etc/presets/saas.yaml against real parts: backend, frontend, database, cache, machine."""
import os
import shutil
import subprocess
import threading

import pytest

from conftest import DEADLINE, free_port, wait_for
from presets import Machine, bands_of, empty_database, preset, told


class Redis:
    def __init__(self, folder):
        assert shutil.which("redis-server"), "redis-server is a test dependency"
        self.folder, self.port = folder, free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--dir", self.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(DEADLINE)
            self.process = None


@pytest.fixture
def tables(postgres):
    with empty_database(postgres) as sql:
        yield sql


@pytest.fixture
def redis(tmp_path):
    r = Redis(str(tmp_path))
    yield r
    r.stop()


def test_a_service_and_what_it_stands_on(hale, sink, nginx, postgres, tables, redis):
    codes, waits = {}, {}

    def answer(path, n):
        threading.Event().wait(waits.get(path, 0))
        return codes.get(path, 200), b"{}"
    sink.answer = answer
    with open(f"{nginx.root}/index.html", "w") as f:
        f.write("<h1>pages</h1>")
    h = preset(hale("components: {}\n", start=False), "saas", BACKEND_URL=sink.url,
               FRONTEND_URL=nginx.url, DATABASE_URL=postgres.dsn,
               REDIS_ADDRESS=f"127.0.0.1:{redis.port}", S3_URL=f"{sink.url}/minio/health/live")
    for name in ("backend", "frontend", "database", "redis", "object_store"):
        told(h, name, "healthy")
    assert h.component("backend")["metrics"]["average_response_ms"] > 0
    codes["/api/health"] = codes["/minio/health/live"] = 503
    told(h, "backend", "critical", reason="http_status")
    told(h, "object_store", "critical", reason="http_status")
    told(h, "frontend", "healthy")
    redis.stop()
    told(h, "redis", "down", reason="conn_refused")
    redis.start()
    told(h, "redis", "healthy")
    postgres.stop()
    told(h, "database", "down")
    nginx.stop()
    told(h, "frontend", "down")
    sink.close()
    told(h, "backend", "down")


def test_a_slow_backend_counts_over_its_window(hale, sink):
    """S4: a mean of more than a second over the last minute; what failed counts with its timeout."""
    sink.answer = lambda path, n: (threading.Event().wait(1.2), (200, b"{}"))[1]
    h = preset(hale("components: {}\n", start=False), "saas", is_quick=False, BACKEND_URL=sink.url,
               FRONTEND_URL="http://127.0.0.1:1")
    c = told(h, "backend", "degraded")
    assert 1000 < c["metrics"]["average_response_ms"] < 5000 and c["reason"] == "threshold"
    for name in ("database", "redis", "object_store"):
        assert h.component(name)["reason"] == "not_configured"


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own takes root")
def test_the_machine(hale, sink, nginx, tmp_path):
    machine = Machine(str(tmp_path))
    try:
        h = preset(hale("components: {}\n", start=False), "saas", change=machine.into,
                   BACKEND_URL=sink.url, FRONTEND_URL=nginx.url)
        c = told(h, "vps", "healthy")
        m = c["metrics"]
        # 6.2 of 16 GB.
        assert abs(m["memory_used_percent"] - 38.75) < 0.01
        assert abs(m["memory_used_bytes"] / (1 << 30) - 6.2) < 0.01
        assert m["memory_total_bytes"] == 16 << 30 and m["cpu_cores"] >= 1
        bands_of(h, machine, "vps", 85, 95)
        wait_for(lambda: h.component("vps")["metrics"]["load1"] == 0.87, "load")
        h.stop()
    finally:
        machine.close()
