# SPDX-License-Identifier: Apache-2.0
"""The kind system against what the machine's own tools say."""
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile

from conftest import wait_for
from test_checks import assert_is, settled


def newest(h, name, seen=None):
    """The next check's component: one that began after `seen` was told."""
    def another():
        c = settled(h, name)
        return c if seen is None or c["last_check"] != seen["last_check"] else None
    return wait_for(another, f"{name} checked again")


def df(path):
    out = subprocess.run(["df", "-B1", "--output=size,used,avail,pcent,ipcent", path],
                         capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
    return [int(v.rstrip("%")) if v.rstrip("%").isdigit() else None for v in out]


def free():
    with open("/proc/meminfo") as f:
        return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in f}


def test_as_the_systems_own_tools_say(hale):
    """S1-13, S1-14, S2-23, S2-25, S4-49."""
    h = hale("components:\n"
             "  box: {system: {disks: [/, /dev/shm], scope: host}, interval: 1s, timeout: 900ms}\n")
    first = assert_is(h, "box", "healthy", "ok", "cpu ")
    c = newest(h, "box", first)
    m = c["metrics"]
    size, used, avail, percent, _ = df("/")
    assert m["disk_root_used_percent"] <= percent <= m["disk_root_used_percent"] + 2
    assert abs(m["disk_root_available_bytes"] - avail) < size / 50
    if m["disk_used_percent"] == m["disk_root_used_percent"]:
        assert m["disk_total_bytes"] == size and abs(m["disk_used_bytes"] - used) < size / 50
        assert c["details"]["disk"]["path"] == "/"
    memory = free()
    assert m["memory_total_bytes"] == memory["MemTotal"]
    assert abs(m["memory_available_bytes"] - memory["MemAvailable"]) < memory["MemTotal"] / 5
    share = 100 * m["memory_used_bytes"] / m["memory_total_bytes"]
    assert abs(m["memory_used_percent"] - share) < 1e-9
    assert c["details"]["memory"]["total_gb"] == round(memory["MemTotal"] / 2**30, 2)
    assert m["cpu_cores"] == os.cpu_count() == c["details"]["cpu"]["cores"]
    assert 0 <= m["cpu_percent"] <= 100
    assert m["cpu_user_percent"] + m["cpu_system_percent"] <= m["cpu_percent"] + 1
    with open("/proc/uptime") as f:
        assert abs(m["uptime_seconds"] - float(f.read().split()[0])) < 30
    assert c["details"]["uptime"][-1] in "dhms" and c["details"]["scope"] == "host"
    processes = len([p for p in os.listdir("/proc") if p.isdigit()])
    assert abs(m["processes"] - processes) < 200 and m["processes_running"] >= 1
    assert abs(m["load1"] - os.getloadavg()[0]) < 20
    assert m["open_files"] > 0 and 0 < m["open_files_percent"] < 100
    if os.path.exists("/proc/pressure/cpu"):
        assert 0 <= m["pressure_cpu_avg60"] <= 100 and "pressure_io_full_avg300" in m


def test_connections_are_counted(hale):
    """S2-24: fifty sockets with both ends here are a hundred."""
    h = hale("components:\n  box: {system: {}, interval: 1s, timeout: 900ms}\n")
    before = assert_is(h, "box", "healthy", "ok")
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        for _ in range(50):
            opened.enter_context(socket.create_connection(listener.getsockname()))
            opened.enter_context(listener.accept()[0])

        def counted():
            m = h.component("box")["metrics"]
            return m["tcp_established"] >= before["metrics"]["tcp_established"] + 80 and m
        m = wait_for(counted, "the connections are counted")
        assert m["network_connections"] >= m["tcp_established"]
        assert m["tcp_listen"] >= 1


def test_a_container_is_full_at_its_limit(hale):
    folder = tempfile.mkdtemp(prefix="hale-cg", dir="/tmp")
    for name, text in {"memory.max": "1000000000\n", "memory.current": "950000000\n",
                       "memory.stat": "inactive_file 10000000\n", "cpu.max": "50000 100000\n",
                       "cpu.stat": "usage_usec 0\nnr_periods 0\nnr_throttled 0\n"}.items():
        with open(f"{folder}/{name}", "w") as f:
            f.write(text)
    os.chmod(folder, 0o755)
    h = hale(f"""
components:
  box:
    system: {{cgroup: {folder}}}
    interval: 1s
    timeout: 900ms
    impact: degraded
    thresholds: {{memory_used_percent: {{degraded: '> 80', critical: '> 90'}}}}
  nowhere: {{system: {{scope: cgroup, cgroup: {folder}/nowhere}}, interval: 1s, timeout: 900ms}}
""")
    c = assert_is(h, "box", "critical", "threshold", "memory_used_percent 94 > 90")
    assert c["details"]["scope"] == "cgroup" and c["metrics"]["memory_total_bytes"] == 10**9
    assert c["metrics"]["cpu_cores"] == 0.5
    assert_is(h, "nowhere", "unknown", "config_error", "no control group")
    # The quota is used up: half a processor was busy the whole time, and throttled.
    spent = 0

    def burn():
        nonlocal spent
        spent += 10**9
        with open(f"{folder}/cpu.stat", "w") as f:
            f.write(f"usage_usec {spent}\nnr_periods {spent}\nnr_throttled {spent // 4}\n")
        m = h.component("box")["metrics"]
        return m["cpu_percent"] == 100 and m["cpu_throttled_percent"] > 20
    wait_for(burn, "the quota is used up")
    shutil.rmtree(folder)


def test_one_that_is_missing_hurts_nobody_else(hale):
    """S1-15."""
    h = hale("components:\n"
             "  gone: {system: {disks: /no/such/path}, interval: 1s, timeout: 900ms}\n"
             "  box: {system: {interfaces: [lo]}, interval: 1s, timeout: 900ms}\n")
    assert_is(h, "gone", "unknown", "config_error", "/no/such/path")
    c = newest(h, "box", assert_is(h, "box", "healthy", "ok"))
    assert c["metrics"]["network_lo_rx_bytes_per_second"] >= 0
