# SPDX-License-Identifier: Apache-2.0
"""hale upgrade: haled becomes its new binary, and nobody notices but the operator."""
import os
import re
import shutil
import signal
import sqlite3

import pytest

from conftest import BIN, DEADLINE, Rpc, is_alive, wait_for

UPGRADE = [r"process ended unexpectedly", r"reload refused", r"upgrade"]

CONFIG = """
components:
  steady: {null: {file: '@DIR@/steady'}, interval: 200ms, timeout: 100ms}
  flips: {null: {file: '@DIR@/flips'}, interval: 100ms, timeout: 80ms}
alerts:
  channels: {sink: {webhook: {url: "%s/alerts"}, rate: 100000}}
  rules:
    - {name: each, type: status_change, components: [flips], cooldown: 0s, channels: [sink],
       on: [healthy, degraded, critical, down, unknown]}
"""


def tell(h, name, text):
    with open(f"{h.dir}/{name}.new", "w") as f:
        f.write(text)
    os.rename(f"{h.dir}/{name}.new", f"{h.dir}/{name}")


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture
def own_bin(tmp_path, monkeypatch):
    """A copy of the programs, so that one can be replaced as a package manager does it."""
    copy = tmp_path / "bin"
    shutil.copytree(BIN, copy, copy_function=link_or_copy)
    shutil.copytree(os.path.join(BIN, "../share"), tmp_path / "share")
    monkeypatch.setattr("conftest.BIN", str(copy))
    return copy


@pytest.fixture
def flipping(sink, hale):  # the first one made is the last one closed
    h = hale(CONFIG % sink.url, start=False)
    h.allow(*UPGRADE)
    tell(h, "steady", "pass")
    tell(h, "flips", "pass")
    h.start()
    h.wait_status("flips", "healthy")
    h.wait_status("steady", "healthy")
    return h


def replace(path, text):
    new = str(path) + ".new"
    with open(new, "w") as f:
        f.write(text)
    os.chmod(new, 0o755)
    os.rename(new, path)


def open_files(h):
    return len(os.listdir(f"/proc/{h.process.pid}/fd"))


def pids(h):
    return {p["name"]: p["pid"] for p in h.status()["processes"]}


def stored(h, component):
    db = sqlite3.connect(f"file:{h.state_dir}/history.db?mode=ro", uri=True, timeout=DEADLINE)
    try:
        return db.execute("SELECT from_status, to_status FROM v_transitions WHERE component = ?"
                          " ORDER BY at, seq", (component,)).fetchall()
    finally:
        db.close()


def test_everything_runs_on(flipping):
    h = flipping
    before, status = pids(h), h.status()
    lines = Rpc(h, "haled").call("logs", name=None, after=0, limit=5)["lines"]
    r = h.cli("upgrade", check=True)
    assert re.search(r"haled \S+ is now \S+, after .*; \d+ processes ran on", r.stdout), r.stdout
    after = h.status()
    assert pids(h) == before and after["pid"] == status["pid"] == h.process.pid
    assert after["epoch"] == status["epoch"] and after["head"] >= status["head"]
    assert {p["name"]: (p["restarts"], p["since"]) for p in after["processes"]} == {
        p["name"]: (p["restarts"], p["since"]) for p in status["processes"]}
    assert after["started"] == status["started"]
    for c in after["components"]:
        assert c["status"] == "healthy" and c["since"] == next(
            b["since"] for b in status["components"] if b["id"] == c["id"])
    # What they wrote before is still there.
    again = Rpc(h, "haled").call("logs", name=None, after=0, limit=1000)["lines"]
    assert lines[-1] in again
    assert Rpc(h, "haled").call("ping")["generation"] == 2
    # It is still their parent: it hears them, and starts them again.
    old = h.process_of("check.null")
    os.kill(old["pid"], signal.SIGKILL)
    wait_for(lambda: h.process_of("check.null")["generation"] == old["generation"] + 1 and
             h.process_of("check.null")["state"] == "ready", "the checker is back")
    tell(h, "flips", "fail broken")
    h.wait_status("flips", "critical")


def test_many_upgrades_under_load_lose_and_repeat_nothing(flipping, sink):
    h = flipping
    before = pids(h)
    fds = open_files(h)  # everybody is connected
    for i in range(20):
        tell(h, "flips", "fail broken" if i % 2 == 0 else "pass")
        h.cli("upgrade", check=True)
        h.wait_status("flips", "critical" if i % 2 == 0 else "healthy")
    wait_for(lambda: open_files(h) <= fds + 2, f"{fds} open files again, not {open_files(h)}")
    assert pids(h) == before
    want = [("unknown", "healthy")] + [("healthy", "critical"), ("critical", "healthy")] * 10

    def all_there():
        assert stored(h, "flips") == want
        told = [(b["previous"], b["status"]) for b in sink.bodies()]
        assert sorted(told) == sorted(want[1:]), told
        return True
    wait_for(all_there, "each transition stored and told once")
    # One epoch, no hole: every line that was published is a row.
    answer = Rpc(h, "haled").call("bus.replay", epoch=h.status()["epoch"], after=0)
    seqs = []
    while "frames" in answer:
        for frame in answer["frames"]:
            head = frame.split("\n", 1)[0].split()
            seqs += range(int(head[2]), int(head[2]) + int(head[3]))
        if not answer["more"]:
            break
        answer = Rpc(h, "haled").call("bus.replay", epoch=answer["epoch"], after=seqs[-1])
    assert seqs == list(range(1, len(seqs) + 1))


def test_what_ends_during_the_exec_is_noticed(flipping):
    h = flipping
    for _ in range(4):  # a fifth would be a crash loop, and waits
        victim = h.process_of("recorder")
        call = Rpc(h, "haled")
        assert "result" in call.ask("upgrade")
        os.kill(victim["pid"], signal.SIGKILL)
        wait_for(lambda: h.process_of("recorder")["generation"] > victim["generation"] and
                 h.process_of("recorder")["state"] == "ready", "the recorder is back")
        assert not is_alive(victim["pid"])


def test_a_changed_configuration_is_applied_on_the_way(flipping, sink):
    h = flipping
    before = pids(h)
    h.write((CONFIG % sink.url).replace("interval: 200ms", "interval: 300ms"))
    h.cli("upgrade", check=True)
    assert h.component("steady")["interval_ms"] == 300
    wait_for(lambda: pids(h)["check.null"] not in (None, before["check.null"]), "restarted")
    after = pids(h)
    assert after["notifier"] == before["notifier"] and after["recorder"] == before["recorder"]


def test_a_wrong_configuration_keeps_the_old_program(flipping):
    h = flipping
    with open(h.config_path, "a") as f:
        f.write("nonsense: {}\n")
    r = h.cli("upgrade")
    assert r.returncode == 1 and "nonsense" in r.stdout + r.stderr, r.stdout + r.stderr
    assert Rpc(h, "haled").call("ping")["generation"] == 1


def test_a_new_binary_that_cannot_take_over_is_refused(own_bin, sink, hale):
    h = hale(CONFIG % sink.url, start=False)
    h.allow(*UPGRADE)
    tell(h, "steady", "pass")
    tell(h, "flips", "pass")
    h.start()
    before = pids(h)
    replace(own_bin / "haled", "#!/bin/sh\necho \"haled: unrecognized option '--takes-over'\" >&2\nexit 2\n")
    r = h.cli("upgrade")
    assert r.returncode == 1, r.stdout + r.stderr
    os.unlink(own_bin / "haled")
    assert h.cli("upgrade").returncode == 1
    assert pids(h) == before and Rpc(h, "haled").call("ping")["generation"] == 1
    tell(h, "flips", "fail broken")
    h.wait_status("flips", "critical")


def test_a_new_binary_that_forgets_what_it_was_handed_starts_all_anew(own_bin, sink, hale):
    """It said it could take over, and then cannot: nothing is left running that nobody looks after."""
    h = hale(CONFIG % sink.url, start=False)
    h.allow(*UPGRADE, r"not understood")
    tell(h, "steady", "pass")
    tell(h, "flips", "pass")
    h.start()
    before = pids(h)
    real = own_bin / "haled.real"
    os.rename(own_bin / "haled", real)
    # A shell stands in between and loses the file descriptor it was given.
    replace(own_bin / "haled", f"""#!/bin/bash
args=()
for a in "$@"; do
  if [ "$last" = --take-over ]; then exec 9</dev/null; a=9; fi
  last="$a"; args+=("$a")
done
exec {real} "${{args[@]}}"
""")
    r = h.cli("upgrade")
    assert r.returncode == 1 and "anew" in r.stderr, r.stdout + r.stderr
    wait_for(lambda: all(p["state"] == "ready" for p in h.status()["processes"]), "all ready again")
    assert not set(pids(h).values()) & set(before.values())
    assert not [p for p in before.values() if is_alive(p)]
    tell(h, "flips", "fail broken")
    h.wait_status("flips", "critical")


def test_a_file_that_is_being_written_during_the_exec_ends_nothing(own_bin, sink, hale):
    h = hale(CONFIG % sink.url, start=False)
    h.allow(*UPGRADE)
    tell(h, "steady", "pass")
    tell(h, "flips", "pass")
    h.start()
    before = pids(h)
    shutil.copy(h.config_path, f"{h.dir}/good.yaml")
    os.rename(own_bin / "haled", own_bin / "haled.real")
    replace(own_bin / "haled", f"""#!/bin/sh
case "$*" in *--take-over*)
	: > {h.config_path}
	(sleep 1; cat {h.dir}/good.yaml > {h.config_path}) & ;;
esac
exec {own_bin}/haled.real "$@"
""")
    r = h.cli("upgrade")
    assert r.returncode == 0, r.stdout + r.stderr
    assert pids(h) == before and Rpc(h, "haled").call("ping")["generation"] == 2
    tell(h, "flips", "fail broken")
    h.wait_status("flips", "critical")
