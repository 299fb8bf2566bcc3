# SPDX-License-Identifier: Apache-2.0
"""Jobs that ping by curl, web that hands it over, and the checker that remembers."""
import json
import os
import pwd
import signal
import subprocess
import threading
import time

import pytest
from conftest import DEADLINE, Rpc, wait_for

TOKEN = "secret-token-of-the-backup-0001"
CONFIG = """
components:
  backup:
    heartbeat: {token: %s, every: 1h, grace: 10m, max_run_time: 2h}
    interval: 60s
    timeout: 5s
"""


def curl(h, path, *args, code=200):
    """What a job's line in the crontab does; returns the body."""
    r = subprocess.run(["curl", "-sS", "-m", str(DEADLINE), "-w", "\n%{http_code}", *args,
                        f"http://127.0.0.1:{h.port}/ping/{path}"], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    body, _, got = r.stdout.rpartition("\n")
    assert int(got) == code, f"{got}: {body}"
    return body


def test_pings_of_every_sort_are_seen_at_once(hale):
    h = hale(CONFIG % TOKEN)
    c = h.wait_status("backup", "unknown")
    wait_for(lambda: h.component("backup")["reason"] == "no_ping", "told that none has come")
    # The grid is a minute: whatever shows now was judged because of the ping.
    assert curl(h, TOKEN) == "OK"
    begin = time.monotonic()
    c = h.wait_status("backup", "healthy")
    assert time.monotonic() - begin < 5
    assert c["metrics"]["pings"] == 1 and c["metrics"]["overdue_seconds"] == 0
    assert c["details"]["source"] == "127.0.0.1"

    begin = time.monotonic()
    curl(h, f"{TOKEN}/fail", "--data-binary", "line one\ndisk full\n\n")
    c = h.wait_status("backup", "critical")
    assert time.monotonic() - begin < 5
    assert c["reason"] == "job_failed" and c["details"]["log"] == "disk full"

    curl(h, f"{TOKEN}/start?rid=0f4ad1a4-0d0a-4c3a-9f0c-6ad0c9f6f4b1")
    wait_for(lambda: "running_seconds" in h.component("backup")["metrics"], "a run under way")
    curl(h, f"{TOKEN}/0?rid=0f4ad1a4-0d0a-4c3a-9f0c-6ad0c9f6f4b1", "-I")  # HEAD
    c = h.wait_status("backup", "healthy")
    assert 0 <= c["metrics"]["run_seconds"] < DEADLINE and c["details"]["exit_code"] == 0
    assert "running_seconds" not in c["metrics"]

    curl(h, f"{TOKEN}/3")
    c = h.wait_status("backup", "critical")
    assert c["message"].startswith("Job failed with exit code 3") and c["metrics"]["pings"] == 5
    curl(h, f"{TOKEN}/log", "-d", "still looking into it")
    wait_for(lambda: h.component("backup")["details"]["log"] == "still looking into it", "log")
    assert h.component("backup")["status"] == "critical"

    shown = h.cli("check", "backup").stdout
    assert "still looking into it" in shown and TOKEN not in shown
    assert TOKEN not in h.logs() and TOKEN not in h.cli("config", "show").stdout


def test_what_is_no_ping_is_refused(hale):
    h = hale(CONFIG % TOKEN)
    wait_for(lambda: h.component("backup")["reason"] == "no_ping", "looked at")
    curl(h, "not-the-token-of-anything-0000", code=404)
    curl(h, TOKEN[:-1], code=404)
    curl(h, f"{TOKEN}/256", code=404)
    curl(h, f"{TOKEN}/begin", code=404)
    curl(h, f"{TOKEN}?rid={'x' * 64}", code=400)
    curl(h, f"{TOKEN}?rid=a&rid=b", code=400)
    curl(h, TOKEN, "-X", "DELETE", code=405)
    big = os.path.join(h.dir, "big")
    with open(big, "w") as f:
        f.write("x" * 102401)
    curl(h, TOKEN, "--data-binary", f"@{big}", code=413)
    assert h.component("backup")["reason"] == "no_ping"
    # What fits is taken, and its beginning kept; bytes that are no text do no harm.
    with open(big, "wb") as f:
        f.write(b"begin \x00\xff\xfe\n" + b"y" * 102000)
    curl(h, TOKEN, "--data-binary", f"@{big}")
    c = h.wait_status("backup", "healthy")
    assert len(c["details"]["log"]) < 256
    with open(f"{h.state_dir}/heartbeat/backup.json") as f:
        kept = json.load(f)["log"]
    assert kept.startswith("begin ???\nyyy") and len(kept.encode()) == 10240
    assert os.stat(f"{h.state_dir}/heartbeat/backup.json").st_mode & 0o007 == 0


def test_too_many_pings_are_slowed_down(hale):
    h = hale(CONFIG % TOKEN)
    wait_for(lambda: h.component("backup")["reason"] == "no_ping", "looked at")
    codes = [h.get(f"/ping/{TOKEN}") for _ in range(40)]
    assert [c[0] for c in codes].count(200) >= 30
    assert {c[0] for c in codes} == {200, 429}
    assert all(int(c[2]["Retry-After"]) >= 1 for c in codes if c[0] == 429)
    # Who guesses is shut out soon, with what he knows too.
    guesses = [h.get(f"/ping/guess-number-{i:08d}")[0] for i in range(40)]
    assert guesses.count(404) <= 25 and guesses[-1] == 429


def test_a_ping_outlives_its_checker_and_haled(hale):
    h = hale(CONFIG % TOKEN)
    wait_for(lambda: h.component("backup")["reason"] == "no_ping", "looked at")
    for n in range(1, 6):
        # Told OK, and killed before anything can have come of it.
        pid = h.process_of("check.heartbeat")["pid"]
        os.kill(pid, signal.SIGSTOP)
        answer = []
        thread = threading.Thread(target=lambda: answer.append(h.get(f"/ping/{TOKEN}/{n}")))
        thread.start()
        os.kill(pid, signal.SIGCONT)
        thread.join(DEADLINE)
        os.kill(pid, signal.SIGKILL)
        assert answer[0][0] == 200, answer
        h.allow(r"check\.heartbeat")
        wait_for(lambda: h.process_of("check.heartbeat")["pid"] not in (0, pid, None),
                 "another process")
        c = wait_for(lambda: next((c for c in [h.component("backup")]
                                   if c["details"].get("exit_code") == n), None), f"ping {n}")
        assert c["status"] == "critical" and c["metrics"]["pings"] == n
    curl(h, TOKEN)
    h.wait_status("backup", "healthy")
    assert h.stop() == 0
    h.start()
    wait_for(lambda: h.component("backup")["metrics"].get("pings") == 6, "all six")
    assert h.component("backup")["status"] == "healthy"


def test_a_ping_waits_for_a_checker_that_is_away(hale):
    h = hale(CONFIG % TOKEN)
    wait_for(lambda: h.component("backup")["reason"] == "no_ping", "looked at")
    h.allow(r"check\.heartbeat")
    # Killed in the very moment: the next one takes it.
    os.kill(h.process_of("check.heartbeat")["pid"], signal.SIGKILL)
    assert curl(h, TOKEN) == "OK"
    assert h.wait_status("backup", "healthy")["metrics"]["pings"] == 1
    # Stopped for good: told to come again.
    h.cli("stop", "check.heartbeat", check=True)
    code, _, headers = h.get(f"/ping/{TOKEN}")
    assert code == 503 and int(headers["Retry-After"]) > 0
    h.cli("start", "check.heartbeat", check=True)
    assert curl(h, TOKEN) == "OK"
    wait_for(lambda: h.component("backup")["metrics"].get("pings") == 2, "the second")


def test_each_group_has_its_tokens(hale):
    h = hale("""
components:
  one: {heartbeat: {token: token-of-one-00000000, every: 1h}, interval: 60s}
  two: {heartbeat: {token: token-of-two-00000000, every: 1h}, interval: 60s, group: night}
  both: {heartbeat: {token: token-of-two-00000000, every: 1h}, interval: 60s, group: night}
""")
    assert curl(h, "token-of-two-00000000") == "OK"
    h.wait_status("two", "healthy")
    h.wait_status("both", "healthy")
    assert h.component("one")["reason"] in ("no_ping", "no_data")
    assert curl(h, "token-of-one-00000000") == "OK"
    h.wait_status("one", "healthy")


def test_silence_is_late_and_then_overdue(hale):
    h = hale("""
components:
  beat: {heartbeat: {token: token-of-the-beat-01, every: 2s, grace: 3s}, interval: 250ms, timeout: 200ms}
  long:
    heartbeat: {token: token-of-the-long-01, every: 1h, grace: 1h, max_run_time: 1s}
    interval: 250ms
    timeout: 200ms
  closed:
    heartbeat: {token: token-of-closed-0001, every: 1s, grace: 1s, holidays_file: "@DIR@/holidays"}
    interval: 250ms
    timeout: 200ms
""", start=False)
    with open(f"{h.dir}/holidays", "w") as f:
        f.write("# never open\n" + "".join(f"{m:02d}-{d:02d} day\n" for m in range(1, 13)
                                          for d in range(1, 32)
                                          if d <= (29 if m == 2 else 30 if m in (4, 6, 9, 11) else 31)))
    h.start()
    curl(h, "token-of-the-beat-01")
    curl(h, "token-of-the-long-01/start")
    curl(h, "token-of-closed-0001")
    h.wait_status("beat", "healthy")
    assert h.wait_status("beat", "degraded")["reason"] == "late"
    c = h.wait_status("beat", "critical")
    assert c["reason"] == "overdue" and c["metrics"]["overdue_seconds"] > 3
    assert c["message"].startswith("Ping is overdue by ")
    curl(h, "token-of-the-beat-01")
    h.wait_status("beat", "healthy")
    assert "expected at most 1s" in h.wait_status("long", "critical")["message"]
    assert h.component("closed")["reason"] == "outside_schedule"
    assert h.component("closed")["message"] == "Outside schedule"


def test_a_bad_configuration_is_told(hale):
    h = hale("""
components:
  a: {heartbeat: {token: short, every: 1h}}
  b: {heartbeat: {token: token-of-b-000000000, every: 1h, cron: "@daily"}}
  c: {heartbeat: {token: token-of-c-000000000, cron: "0 9 * * *", active_window: "10:00-11:00"}}
  d: {heartbeat: {token: token-of-d-000000000, cron: "0 9 * * *", timezone: Mars/Olympus}}
  e: {heartbeat: {token: token-of-e-000000000, every: 1h, active_window: "mon-fri 9-17"}}
""", start=False)
    r = h.cli("config", "check", h.config_path)
    text = r.stdout + r.stderr
    assert r.returncode != 0
    for what in ("16 to 128 letters", "'cron' or 'every'", "none of its times",
                 "no zone 'Mars/Olympus'", "09:30-16:00"):
        assert what in text, text


def test_a_broken_state_file_is_no_end(hale):
    h = hale(CONFIG % TOKEN, start=False)
    os.makedirs(f"{h.state_dir}/heartbeat")
    with open(f"{h.state_dir}/heartbeat/backup.json", "w") as f:
        f.write('{"version": 1, "last": "yesterday"}')
    h.allow("pings of the past are lost")
    h.start()
    wait_for(lambda: h.component("backup")["reason"] == "no_ping", "looked at")
    curl(h, TOKEN)
    assert h.wait_status("backup", "healthy")["metrics"]["pings"] == 1
    assert Rpc(h, "check.heartbeat").ask("heartbeat.ping", token=TOKEN, signal="x")["error"]["code"] == -32602


@pytest.mark.skipif(os.getuid() != 0, reason="only root may change users")
def test_pings_go_on_when_another_user_takes_over(hale):
    h = hale(CONFIG % TOKEN)
    wait_for(lambda: h.component("backup")["reason"] == "no_ping", "looked at")
    curl(h, TOKEN)
    h.wait_status("backup", "healthy")
    assert h.stop() == 0
    os.chmod(h.dir, 0o755)
    h.write("instance: {user: daemon}\n" + CONFIG % TOKEN)
    h.start()
    curl(h, f"{TOKEN}/5")
    assert h.wait_status("backup", "critical")["metrics"]["pings"] == 2
    kept = os.stat(f"{h.state_dir}/heartbeat/backup.json")
    assert kept.st_uid == pwd.getpwnam("daemon").pw_uid
