# SPDX-License-Identifier: Apache-2.0
"""How the user's programs are kept running: restart policies, order, on_failing, checks, signals."""
import json
import os
import re
import signal
import time

from conftest import DEADLINE, is_alive, wait_for

FAILS = [r"process ended unexpectedly", r"process is crash-looping", r"on_failing"]
# A program that waits for signals and writes each one down, then goes on.
LISTEN = """python3, -c, "import signal\\nfor s in ('HUP','USR1','USR2','WINCH'): signal.signal(getattr(signal, 'SIG' + s), lambda n, f: print('got', signal.Signals(n).name, flush=True))\\nprint('listening', flush=True)\\nwhile True: signal.pause()" """


def programs(**lines):
    return "programs:\n" + "".join(f"  {name}: {text}\n" for name, text in lines.items())


def wait_state(h, name, *states, deadline=DEADLINE):
    def reached():
        p = h.process_of(name)
        return p if p["state"] in states else None
    return wait_for(reached, f"{name} {states}", deadline)


def starts(h, name):
    """Times in ms at which it was started, as haled logged them."""
    found = re.findall(rf"^(\S+) info  haled process process={name} event=start ", h.logs(), re.M)
    return [1000 * time.mktime(time.strptime(t[:19], "%Y-%m-%dT%H:%M:%S")) + int(t[20:23])
            for t in found]


def gaps(h, name):
    t = starts(h, name)
    return [b - a for a, b in zip(t, t[1:])]


def order_of(h, *events):
    """Where each 'name event' is first seen in the log, in lines."""
    lines = h.logs().splitlines()
    return [next(i for i, line in enumerate(lines)
                 if f"process={e.split()[0]} event={e.split()[1]} " in line) for e in events]


def events(h, kind):
    """What the history knows of one kind of event."""
    r = h.cli("-o", "json", "events", "-t", "event", "-n", "1000")
    found = [json.loads(line) for line in r.stdout.splitlines()]
    return [e for e in found if e.get("kind", e.get("line", {}).get("kind")) == kind]


def test_a_clean_end_finishes_unless_it_is_to_run_always(hale):
    h = hale(programs(
        job="{command: [sh, -c, 'echo did it'], restart: on-failure}",
        once="{command: [sh, -c, 'exit 0'], restart: never}",
        loop="{command: [sh, -c, 'exit 0'], restart: {when: always, delay: 200ms}}"), start=False)
    h.allow(*FAILS)
    h.start(ready=False)
    wait_for(lambda: h.process_of("job")["finished"] and h.process_of("once")["finished"],
             "finished")
    assert h.process_of("job")["state"] == "stopped"
    assert h.process_of("job")["generation"] == 1
    job = h.component("program.job")
    assert job["status"] == "healthy" and job["message"].startswith("Finished: exit code 0")
    assert "finished" in h.cli("status").stdout
    wait_for(lambda: h.process_of("loop")["generation"] >= 3, "run again and again")
    # It runs again when it is asked to, and when it is another.
    assert "finished in" in h.cli("start", "job", check=True).stdout
    assert h.process_of("job")["generation"] == 2
    h.write(programs(job="{command: [sh, -c, 'echo did more'], restart: on-failure}"))
    h.cli("reload", check=True)
    wait_for(lambda: h.process_of("job")["generation"] == 3 and h.process_of("job")["finished"],
             "the new one has run")
    assert "did more" in h.cli("logs", "job").stdout


def test_a_failure_is_held_restarted_or_given_up_as_asked(hale):
    h = hale(programs(
        never="{command: [sh, -c, 'echo no such table >&2; exit 3'], restart: never}",
        fixed="{command: [sh, -c, 'exit 78'], restart: {delay: 300ms, burst: 2, give_up_after: 4}}",
        grows="{command: [sh, -c, 'exit 1'], restart: {base: 100ms, factor: 3, cap: 2s, jitter: 0,"
              " burst: 30, give_up_after: 5}}"), start=False)
    h.allow(*FAILS)
    h.start(ready=False)
    for name in ("never", "fixed", "grows"):
        wait_state(h, name, "held")
    # The crash report is where people look: message, show, status, API.
    c = h.component("program.never")
    assert c["status"] == "down"
    assert "exit code 3" in c["message"] and "no such table" in c["message"]
    assert "no such table" in h.cli("show", "never").stdout
    assert "no such table" in h.cli("status").stdout
    assert h.process_of("never")["generation"] == 1
    assert h.process_of("never")["last_exit"]["last_lines"] == ["no such table"]
    # A fixed delay each time, exit 78 no exception; then it is given up.
    assert h.process_of("fixed")["generation"] == 4 and not h.process_of("fixed")["crash_looping"]
    assert h.component("program.fixed")["status"] == "down"
    assert all(300 <= g < 1500 for g in gaps(h, "fixed")), gaps(h, "fixed")
    # At once, then 100, 300, 900 ms.
    found = gaps(h, "grows")
    assert len(found) == 4
    for gap, least in zip(found, (0, 100, 300, 900)):
        assert least <= gap < least + 700, found
    # An operator's start tries once more.
    h.cli("start", "never", "--no-wait")
    wait_for(lambda: h.process_of("never")["generation"] == 2, "tried again")


def test_a_crash_loop_is_told_and_ends_with_a_stable_run(hale):
    h = hale(programs(
        flaky="{command: [sh, -c, 'test -e @DIR@/good && exec sleep 1000; echo broken; exit 1'],"
              " ready_after: 100ms, restart: {base: 50ms, cap: 200ms, burst: 2, window: 60s,"
              " stable_after: 500ms}}"), start=False)
    h.allow(*FAILS, r"runs stably again")
    h.start(ready=False)
    wait_for(lambda: h.process_of("flaky")["crash_looping"], "crash-looping")
    c = h.wait_status("program.flaky", "critical")
    assert c["message"].startswith("Keeps crashing: exit code 1") and "broken" in c["message"]
    assert c["reason"] == "crash_loop"
    assert "crash-looping" in h.cli("status").stdout
    open(f"{h.dir}/good", "w").close()
    h.wait_status("program.flaky", "healthy")
    wait_for(lambda: not h.process_of("flaky")["crash_looping"], "stable")
    wait_for(lambda: events(h, "crash_loop") and events(h, "crash_loop_end"), "both in history")
    assert any("exit code 1" in json.dumps(e) for e in events(h, "crash_loop"))


def test_order_of_start_stop_and_restart(hale):
    h = hale(programs(
        shop="{command: [sleep, '1000'], requires: [app], ready_after: 50ms}",
        app="{command: [sleep, '1000'], requires: [db], ready_after: 50ms}",
        db="{command: [sleep, '1000'], ready_after: 300ms}",
        later="{command: [sleep, '1000'], after: [shop], ready_after: 50ms}"))
    h.allow(*FAILS)
    seen = order_of(h, "db ready", "app start", "app ready", "shop start", "shop ready", "later start")
    assert seen == sorted(seen), seen
    before = {n: h.process_of(n)["generation"] for n in ("shop", "app", "db", "later")}
    # A crash of what is required leaves the others alone.
    os.kill(h.process_of("db")["pid"], signal.SIGKILL)
    wait_for(lambda: h.process_of("db")["generation"] == 2 and h.process_of("db")["state"] == "ready",
             "db again")
    assert h.process_of("app")["generation"] == before["app"]
    # Stopped on purpose, it takes them down first, and they come again with it.
    h.cli("stop", "db", check=True)
    assert h.process_of("db")["state"] == "stopped"
    app = h.process_of("app")
    assert app["state"] == "waiting" and app["status_text"] == "waits for db" and not app["pid"]
    assert h.process_of("shop")["state"] == "waiting"
    assert h.process_of("later")["generation"] == before["later"]
    assert "waits for db" in h.cli("status").stdout
    stops = order_of(h, "shop wait", "app wait", "db stop")
    assert stops == sorted(stops), stops
    c = h.wait_status("program.app", "degraded")
    assert "waits for db" in c["message"]
    h.cli("start", "db", check=True)
    wait_state(h, "shop", "ready")
    # A restart is a stop and a start.
    h.cli("restart", "db", check=True)
    wait_for(lambda: h.process_of("shop")["state"] == "ready" and
             h.process_of("shop")["generation"] == before["shop"] + 2, "shop again")
    # What people have stopped stays so.
    h.cli("stop", "shop", check=True)
    h.cli("restart", "db", check=True)
    wait_state(h, "app", "ready")
    assert h.process_of("shop")["state"] == "stopped"
    h.cli("start", "shop", check=True)
    log = len(h.logs())
    h.stop()
    names = re.findall(r"process=(\w+) event=stop state=stopped", h.logs()[log:])
    assert names.index("later") < names.index("shop") < names.index("app") < names.index("db")


def test_who_requires_what_is_held_waits_and_init_is_told(hale):
    h = hale(programs(
        db="{command: [sh, -c, 'test -e @DIR@/good && exec sleep 1000; exit 1'],"
           " restart: {give_up_after: 1}, ready_after: 50ms}",
        job="{command: [sh, -c, 'echo migrated'], restart: on-failure, notify: true}",
        app="{command: [sleep, '1000'], requires: [db, job], ready_after: 50ms}"), start=False)
    h.allow(*FAILS, r"not all processes are ready")
    h.start(ready=False)
    wait_state(h, "db", "held")
    wait_state(h, "app", "waiting")
    wait_for(lambda: h.process_of("job")["finished"], "the job has run")
    wait_for(lambda: "not all processes are ready" in h.logs(), "start is over all the same")
    h.wait_status("program.app", "degraded")
    open(f"{h.dir}/good", "w").close()
    h.cli("start", "db", check=True)
    wait_state(h, "app", "ready")
    h.wait_status("program.app", "healthy")


def test_on_failing_runs_when_the_notifier_is_broken(hale):
    """The notifier cannot say that it cannot run; the command can."""
    h = hale("processes: {notifier: {restart: {base: 20ms, cap: 50ms, burst: 2},"
             " on_failing: [sh, -c, 'env > @DIR@/told; echo mail sent']}}\n", start=False)
    h.allow(*FAILS, r"not all processes are ready")
    broken = f"{h.dir}/state"
    os.makedirs(broken, mode=0o700)
    os.mkdir(f"{broken}/notifier.db")  # its database cannot be opened: it exits each time
    h.allow(r"notifier")
    h.start(ready=False)
    wait_for(lambda: os.path.exists(f"{h.dir}/told") and "HALE_NODE" in open(f"{h.dir}/told").read(),
             "somebody was told")
    told = dict(line.split("=", 1) for line in open(f"{h.dir}/told").read().splitlines()
                if "=" in line)
    assert told["HALE_PROCESS"] == "notifier"
    assert told["HALE_STATE"] in ("crash-looping", "held")
    assert told["HALE_MESSAGE"] and told["HALE_INSTANCE"] == "hale"
    wait_for(lambda: "notifier.on_failing mail sent" in h.logs(), "its output in the log")
    wait_for(lambda: events(h, "on_failing"), "in history")
    # Once for all of this.
    generation = h.process_of("notifier")["generation"]
    if h.process_of("notifier")["state"] != "held":
        wait_for(lambda: h.process_of("notifier")["generation"] > generation + 3, "it goes on failing")
    assert h.logs().count("on_failing is run") == 1


def test_not_ready_for_long_is_failing_and_a_hung_command_ends_with_haled(hale):
    h = hale(programs(
        slow="{command: [sleep, '1000'], notify: true, start_timeout: 1h, failing_after: 1s,"
             " on_failing: [sh, -c, 'echo $$$$ > @DIR@/pid; exec sleep 1000']}"), start=False)
    h.allow(*FAILS, r"not all processes")
    h.start(ready=False)
    wait_for(lambda: os.path.exists(f"{h.dir}/pid") and open(f"{h.dir}/pid").read().strip(),
             "the command runs")
    pid = int(open(f"{h.dir}/pid").read())
    assert h.stop() == 0
    assert not is_alive(pid)


def test_a_failing_check_restarts_its_program_up_to_the_limit(hale, sink):
    sink.answer = lambda path, n: (500, b"broken")
    h = hale(programs(
        app="{command: [sleep, '1000'], ready_after: 50ms, on_check_failure:"
            " {components: [api], status: critical, after: 500ms, limit: 2, window: 1h}}",
        dep="{command: [sleep, '1000'], ready_after: 50ms, requires: [app]}")
        + "components:\n  api: {http: {url: '%s/'}, interval: 200ms, timeout: 150ms}\n" % sink.url,
        start=False)
    h.allow(r"restarted because a check fails", r"restarts do not help")
    h.start()
    wait_for(lambda: "restarts do not help" in h.logs(), "the limit")
    assert h.process_of("app")["generation"] == 3
    assert h.process_of("dep")["generation"] == 1  # as after a crash
    pid = h.process_of("app")["pid"]
    n = len(sink.requests)
    wait_for(lambda: len(sink.requests) > n + 5, "some more checks")
    assert h.process_of("app")["pid"] == pid
    assert h.logs().count("restarts do not help") == 1
    wait_for(lambda: len(events(h, "check_restart")) >= 2 and events(h, "check_restart_limit"),
             "in history")
    assert any("api: " in json.dumps(e) for e in events(h, "check_restart"))
    # Recovery ends the leave; the limit within the window stays what it is.
    sink.answer = lambda path, n: (200, b"ok")
    h.wait_status("api", "healthy")
    sink.answer = lambda path, n: (500, b"broken")
    wait_for(lambda: h.logs().count("restarts do not help") == 2, "told anew")
    assert h.process_of("app")["pid"] == pid


def test_signals_are_handed_on_to_those_who_ask(hale):
    h = hale(programs(
        asks="{command: [%s], ready_after: 500ms, forward_signals: [USR1, USR2, WINCH, HUP]}" % LISTEN,
        deaf="{command: [%s], ready_after: 500ms}" % LISTEN))
    for name in ("asks", "deaf"):
        wait_for(lambda: "listening" in h.cli("logs", name).stdout, f"{name} listens")
    for s in ("USR1", "USR2", "WINCH", "HUP"):
        h.process.send_signal(getattr(signal, f"SIG{s}"))
        wait_for(lambda: f"got SIG{s}" in h.cli("logs", "asks").stdout, f"SIG{s}")
    assert "got" not in h.cli("logs", "deaf").stdout
    assert "configuration reloaded" in h.logs()
    reload_line = h.logs().index("configuration reloaded")
    assert h.logs().index("got SIGHUP") > reload_line


def test_restarting_all_in_turn_restarts_each_once(hale):
    h = hale(programs(
        db="{command: [sleep, '1000'], ready_after: 50ms}",
        app="{command: [sleep, '1000'], requires: [db], ready_after: 50ms}",
        far="{command: [sleep, '1000'], requires: [app], ready_after: 50ms}"))
    r = h.cli("restart", "--all", check=True)
    assert [n for n in ("db", "app", "far") if f"{n} " not in r.stdout] == [], r.stdout
    assert {p["name"]: p["restarts"] for p in h.status()["processes"]
            if p["name"] in ("db", "app", "far")} == {"db": 1, "app": 1, "far": 1}


def test_logs_are_opened_anew_after_logrotate(hale):
    h = hale(programs(
        talks="{command: [sh, -c, 'while :; do echo tick; sleep 0.05; done'], ready_after: 50ms,"
              " log: '@DIR@/talks.log'}"))
    path = f"{h.dir}/talks.log"
    wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "lines")
    os.rename(path, path + ".old")
    h.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "lines in a new file")


def test_stop_signal_and_stop_timeout(hale):
    h = hale(programs(
        polite="{command: [sh, -c, 'trap \"echo bye; exit 0\" INT; trap \"\" TERM;"
               " while :; do sleep 0.05; done'], stop_signal: INT, ready_after: 50ms}",
        stubborn="{command: [sh, -c, 'trap \"\" TERM; while :; do sleep 0.05; done'],"
                 " stop_timeout: 300ms, ready_after: 50ms}"))
    h.cli("stop", "polite", "stubborn", check=True)
    assert h.process_of("polite")["last_exit"]["code"] == 0
    assert "bye" in h.cli("logs", "polite").stdout
    assert h.process_of("stubborn")["last_exit"]["signal"] == "SIGKILL"


def test_start_timeout_and_watchdog_of_a_program(hale):
    notify = ("import os,signal,socket\\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\\n"
              "say=lambda b: s.sendto(b,os.environ['NOTIFY_SOCKET'].replace('@', chr(0), 1))\\n")
    h = hale(programs(
        mute="{command: [sleep, '1000'], notify: true, start_timeout: 300ms,"
             " restart: {give_up_after: 1}}",
        hangs='{command: [python3, -c, "%ssay(b\'READY=1\')\\nsignal.pause()"], notify: true,'
              " watchdog: 500ms, restart: {give_up_after: 1}}" % notify), start=False)
    h.allow(*FAILS, r"does not respond", r"not all processes")
    h.start(ready=False)
    for name in ("mute", "hangs"):
        p = wait_state(h, name, "held")
        assert p["last_exit"]["signal"] == "SIGABRT", p
        assert "it did not respond" in p["last_exit"]["text"]
    assert "process=mute why=start_timeout" in h.logs()
    assert "process=hangs why=watchdog" in h.logs()
