# SPDX-License-Identifier: Apache-2.0
"""Jobs whose runs are looked for: in PostgreSQL, SQLite, a file, pings, a timer of systemd."""
import datetime
import os
import sqlite3
import time

from conftest import wait_for
from test_kind_systemd import bus, service  # noqa: F401 (a fixture)

# S0-29 to S0-33: the one of the five sources' jobs that is judged by its log.
S0 = """
components:
  cron_jobs:
    schedule:
      sql:
        postgres: {dsn: "%s"}
        query: SELECT max(executed_at) FROM cron_logs WHERE job_name = 'trailing_stop_reassessment'
      warn_after: 35m
      fail_after: 2h
      %s
    interval: 500ms
    timeout: 450ms
    on_error: degraded
"""


def fresh_table(postgres):
    postgres.sql("DROP TABLE IF EXISTS cron_logs; CREATE TABLE cron_logs"
                 " (id serial PRIMARY KEY, job_name text, executed_at timestamptz)")


def ran(postgres, minutes):
    postgres.sql("TRUNCATE cron_logs; INSERT INTO cron_logs (job_name, executed_at) VALUES"
                 f" ('trailing_stop_reassessment', now() - interval '{minutes} minutes'),"
                 " ('another_job', now())")


def text_of(h, name):
    c = h.component(name)
    return c["status"], c["message"]


def expect(h, name, *want):
    return wait_for(lambda: h.component(name) if text_of(h, name) == want else None,
                    f"{name} {want}, not {text_of(h, name)}")


def test_s0_cron_jobs(hale, postgres):
    fresh_table(postgres)
    ran(postgres, 34)
    h = hale(S0 % (postgres.dsn, "grace: 0s"))
    c = expect(h, "cron_jobs", "healthy", "Running")
    last = datetime.datetime.fromisoformat(c["details"]["last_run"].replace("Z", "+00:00"))
    age = (datetime.datetime.now(datetime.timezone.utc) - last).total_seconds()
    assert 34 * 60 <= age < 35 * 60
    assert 34 * 60 <= c["metrics"]["last_run_age_seconds"] < 35 * 60
    ran(postgres, 36)
    c = expect(h, "cron_jobs", "degraded", "Missed last run")
    assert c["reason"] == "missed_run" and "last_run" in c["details"]
    ran(postgres, 119)
    expect(h, "cron_jobs", "degraded", "Missed last run")
    ran(postgres, 121)
    assert expect(h, "cron_jobs", "critical", "Multiple runs missed")["reason"] == "missed_runs"
    ran(postgres, 1)
    expect(h, "cron_jobs", "healthy", "Running")
    postgres.sql("TRUNCATE cron_logs")
    c = expect(h, "cron_jobs", "critical", "Multiple runs missed")
    assert "last_run" not in c["details"]
    postgres.sql("ALTER TABLE cron_logs RENAME TO gone")
    c = expect(h, "cron_jobs", "degraded", "Unable to check")
    assert "cron_logs" in c["details"]["error"] and c["reason"] == "source_failed"
    postgres.sql("ALTER TABLE gone RENAME TO cron_logs")
    ran(postgres, 1)
    expect(h, "cron_jobs", "healthy", "Running")
    # A database in another zone than it says.
    ran(postgres, -300)
    assert "4h59m in the future" in wait_for(lambda: h.component("cron_jobs")["status"] == "critical" and
                            h.component("cron_jobs")["message"], "told of the future")


def test_outside_its_hours_nothing_is_missed(hale, postgres):
    """C-40. The calendar itself, Saturdays and all, is in tests/unit/checkers/test_duty.c."""
    fresh_table(postgres)
    ran(postgres, 3 * 24 * 60)
    now = datetime.datetime.now(datetime.timezone.utc)
    day = (now + datetime.timedelta(days=3)).strftime("%a").lower()
    config = S0 % (postgres.dsn, "timezone: UTC, active_window: %s")
    config = config.replace("timezone: UTC, active_window: %s",
                            "timezone: UTC\n      active_window: %s")
    h = hale(config % f"{day} 09:30-16:05")
    c = expect(h, "cron_jobs", "healthy", "Outside schedule")
    opens = datetime.datetime.fromisoformat(c["details"]["opens"].replace("Z", "+00:00"))
    assert (opens.hour, opens.minute) == (9, 30) and opens > now
    assert "missed_runs" not in c["metrics"]
    # Open since a few minutes: what did not run while it was closed is not missed.
    begin = now - datetime.timedelta(minutes=10)
    end = now + datetime.timedelta(hours=2)
    h.write(config % f'"{begin:%H:%M}-{end:%H:%M}"')
    h.cli("reload", check=True)
    expect(h, "cron_jobs", "healthy", "Running")
    begin = now - datetime.timedelta(minutes=50)
    h.write(config % f'"{begin:%H:%M}-{end:%H:%M}"')
    h.cli("reload", check=True)
    expect(h, "cron_jobs", "degraded", "Missed last run")
    h.write(config % f'"{begin:%H:%M}-{end:%H:%M}"\n      opening_grace: 30m')
    h.cli("reload", check=True)
    expect(h, "cron_jobs", "healthy", "Running")
    h.write(config % f'"{begin:%H:%M}-{end:%H:%M}"\n      holidays: ["{now:%m-%d}"]')
    h.cli("reload", check=True)
    expect(h, "cron_jobs", "healthy", "Outside schedule")


def test_a_row_may_say_how_it_ended(hale):
    h = hale("""
components:
  dump:
    schedule:
      sql:
        sqlite: {path: "@DIR@/jobs.db"}
        query: SELECT at, status FROM runs ORDER BY at DESC LIMIT 1
        ok: [success, "0"]
      every: 1h
    interval: 250ms
    timeout: 240ms
""", start=False)
    db = sqlite3.connect(f"{h.dir}/jobs.db")
    db.execute("CREATE TABLE runs (at, status)")
    db.commit()
    h.start()
    expect(h, "dump", "critical", "Multiple runs missed")

    def row(at, status):
        db.execute("INSERT INTO runs VALUES (?, ?)", (at, status))
        db.commit()

    row(time.time() - 7000, "Success")
    expect(h, "dump", "degraded", "Missed last run")
    row(time.time() - 60, 0)
    expect(h, "dump", "healthy", "Running")
    row(time.time() - 30, "disk full")
    assert expect(h, "dump", "critical", "Last run failed: disk full")["reason"] == "job_failed"
    row("zzz", "success")
    assert "no time" in expect(h, "dump", "unknown", "Unable to check")["details"]["error"]
    shown = h.cli("check", "dump").stdout
    assert "no time" in shown
    db.close()


def test_files_and_pings_are_traces_too(hale):
    h = hale("""
components:
  file:
    schedule: {file: "@DIR@/out/dump.gz", every: 1h, grace: 10m}
    interval: 250ms
    timeout: 240ms
  beat:
    heartbeat: {token: token-of-the-beat-01, every: 1h}
    interval: 60s
  job:
    schedule: {heartbeat: beat, every: 1h}
    interval: 250ms
    timeout: 240ms
""", start=False)
    os.mkdir(f"{h.dir}/out")
    h.start()
    expect(h, "file", "critical", "Multiple runs missed")
    path = f"{h.dir}/out/dump.gz"

    def written(minutes):
        with open(path + ".new", "w"):
            pass
        os.utime(path + ".new", (time.time() - minutes * 60,) * 2)
        os.rename(path + ".new", path)

    written(69)
    expect(h, "file", "healthy", "Running")
    written(71)
    expect(h, "file", "degraded", "Missed last run")
    written(131)
    expect(h, "file", "critical", "Multiple runs missed")
    expect(h, "job", "critical", "Multiple runs missed")
    assert h.get("/ping/token-of-the-beat-01")[0] == 200
    expect(h, "job", "healthy", "Running")
    assert h.get("/ping/token-of-the-beat-01/4")[0] == 200
    expect(h, "job", "critical", "Last run failed: exit code 4")


def test_a_timer_of_systemd(hale, bus):  # noqa: F811
    def told(minutes, result="success", active="inactive"):
        at = int((time.time() - minutes * 60) * 1e6)
        bus.tell({
            "backup.timer": {"Unit": {"LoadState": "loaded", "ActiveState": "active",
                                      "SubState": "waiting"},
                             "Timer": {"LastTriggerUSec": at, "Unit": "backup.service",
                                       "Result": "success"}},
            "backup": service(active, "dead", Result=result)})

    told(30)
    h = hale("""
components:
  backup:
    schedule: {systemd: {timer: backup, bus: "%s"}, every: 1h}
    interval: 500ms
    timeout: 450ms
  gone:
    schedule: {systemd: {timer: other.timer, bus: "%s"}, every: 1h}
    interval: 500ms
    timeout: 450ms
""" % (bus.address, bus.address))
    expect(h, "backup", "healthy", "Running")
    told(62)
    expect(h, "backup", "degraded", "Missed last run")
    told(1, "exit-code", "failed")
    expect(h, "backup", "critical", "Last run failed: exit-code")
    c = expect(h, "gone", "unknown", "Unable to check")
    assert "not-found" in c["details"]["error"]


def test_a_bad_configuration_is_told(hale):
    h = hale("""
components:
  a: {schedule: {every: 1h}}
  b: {schedule: {file: /x, heartbeat: b, every: 1h}}
  c: {schedule: {file: /x, every: 1h, warn_after: 1h}}
  d: {schedule: {file: relative/x, every: 1h}}
  e: {schedule: {file: /x, warn_after: 2h, fail_after: 1h}}
  f: {schedule: {heartbeat: nobody, every: 1h}}
""", start=False)
    r = h.cli("config", "check", h.config_path)
    text = r.stdout + r.stderr
    assert r.returncode != 0
    assert "unknown component 'nobody'" in text
    h.write(open(h.config_path).read().replace("nobody", "a"))
    r = h.cli("config", "check", h.config_path)
    text = r.stdout + r.stderr
    assert r.returncode != 0
    for what in ("exactly one of", "needs exactly one of", "absolute path", "longer than fail_after"):
        assert what in text, text
