# SPDX-License-Identifier: Apache-2.0
"""The user's own programs under haled: as what they run, in which order, and what becomes of them."""
import grp
import json
import os
import pwd
import re
import signal

import pytest

from conftest import DEADLINE, is_alive, wait_for

PYTHON = "/usr/bin/python3"
CRASH = [r"process ended unexpectedly", r"process is crash-looping", r"does not respond"]
NOBODY = pwd.getpwnam("nobody")

# Says what it is in a file, then does what its arguments say, one after the other.
PROGRAM = r"""
import json, os, select, signal, socket, sys

def notify(text):
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(text.encode(), "\0" + address[1:] if address[0] == "@" else address)

def say(text):
    print(text, flush=True)

def mark(name):
    with open(sys.argv[1] + ".events", "a") as f:
        f.write(f"{name}\n")

def report():
    umask = os.umask(0)
    os.umask(umask)
    about = {"pid": os.getpid(), "uid": os.getuid(), "euid": os.geteuid(), "gid": os.getgid(),
             "groups": os.getgroups(), "cwd": os.getcwd(), "env": dict(os.environ),
             "umask": umask, "argv": sys.argv, "fds": sorted(os.listdir("/proc/self/fd"), key=int),
             "limits": open("/proc/self/limits").read(), "sid": os.getsid(0)}
    with open(sys.argv[1] + ".new", "w") as f:
        json.dump(about, f)
    os.rename(sys.argv[1] + ".new", sys.argv[1])

report()
mark("start")
for word in sys.argv[2:]:
    name, _, value = word.partition("=")
    if name == "ready":
        notify("READY=1\nSTATUS=" + value)
    elif name == "say":
        say(value)
    elif name == "stdin":
        say("stdin: " + sys.stdin.read().strip())
    elif name == "term":      # says so, and goes
        def on_signal(number, frame):
            mark(signal.Signals(number).name)
            sys.exit(0)
        for s in value.split(","):
            signal.signal(getattr(signal, s), on_signal)
    elif name == "note":      # says so, and stays
        signal.signal(getattr(signal, value), lambda n, f: mark(signal.Signals(n).name))
    elif name == "ignore":
        signal.signal(getattr(signal, value), signal.SIG_IGN)
    elif name == "fork":      # a child in its session that ignores SIGTERM, too
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with open(sys.argv[1] + ".child", "w") as f:
                f.write(str(os.getpid()))
            signal.pause()
    elif name == "daemon":    # as the books have it
        if os.fork() != 0:
            while not os.path.exists(sys.argv[1] + ".daemon"):
                select.select([], [], [], 0.01)
            os._exit(0)
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        with open(sys.argv[1] + ".daemon.new", "w") as f:
            f.write(str(os.getpid()))
        os.rename(sys.argv[1] + ".daemon.new", sys.argv[1] + ".daemon")
        signal.pause()
    elif name == "lines":     # so many lines of 100 bytes
        for i in range(int(value)):
            sys.stdout.write(f"line {i:08d} " + "x" * 85 + "\n")
        sys.stdout.flush()
    elif name == "eat":       # so many megabytes
        try:
            memory = bytearray(int(value) << 20)
            say("got it")
        except MemoryError:
            say("no memory")
    elif name == "file":      # waits until it is there
        while not os.path.exists(value):
            select.select([], [], [], 0.01)
    elif name == "exit":
        sys.exit(int(value))
    elif name == "watchdog":
        for _ in range(int(value)):
            notify("WATCHDOG=1")
            select.select([], [], [], 0.1)
while True:
    signal.pause()
"""


@pytest.fixture
def programs(hale):
    """make(yaml): a hale with these programs; @PROG@ NAME is the program above."""
    def make(text, start=True, rest=""):
        h = hale("", start=False)
        os.chmod(h.dir, 0o755)  # nobody may come in, too
        with open(f"{h.dir}/program.py", "w") as f:
            f.write(PROGRAM)
        os.makedirs(f"{h.dir}/out", exist_ok=True)
        os.chmod(f"{h.dir}/out", 0o777)
        h.programs = lambda yaml: h.write(rest + "\nprograms:\n" + run_of(yaml))
        h.programs(text)
        if start:
            h.start()
        return h
    return make


def run_of(yaml):
    """"@PROG@ a" is the start of the command of program a."""
    return re.sub(r"@PROG@ (\w+)", rf"{PYTHON}, @DIR@/program.py, @DIR@/out/\1", yaml)


def about(h, name):
    with open(f"{h.dir}/out/{name}") as f:
        return json.load(f)


def events(h, name):
    try:
        with open(f"{h.dir}/out/{name}.events") as f:
            return f.read().split()
    except FileNotFoundError:
        return []


def log_of(h, name, n=0):
    path = f"{h.state_dir}/log/{name}.log" + (f".{n}" if n else "")
    with open(path) as f:
        return f.read()


def wait_state(h, name, *states):
    def there():
        p = h.process_of(name)
        return p if p["state"] in states else None
    return wait_for(there, f"{name} {states}")


def limit(about, name):
    """(soft, hard) of /proc/PID/limits."""
    return tuple(re.search(rf"^{name} +(\S+) +(\S+)", about["limits"], re.M).groups())


def test_a_program_has_what_was_asked_for_and_nothing_else(programs):
    h = programs("""
  trader:
    command: [@PROG@ trader, "ready=trading 3 symbols", say=hello, stdin]
    notify: true
    watchdog: 5m
    user: nobody
    group: daemon
    directory: /usr/share
    environment: {MODE: paper, TOKEN: "${HALE_TEST_TOKEN}"}
    umask: 027
    stdin: @DIR@/input
    limits: {nofile: 77, core: 0, memory: 512MB, processes: 500}
  plain:
    command: [@PROG@ plain, say=hello]
    log: none
""", start=False)
    with open(f"{h.dir}/input", "w") as f:
        f.write("some input")
    h.env = {"HALE_TEST_TOKEN": "hidden-token", "HALE_TEST_LEAK": "leaked"}
    h.start()
    a = wait_for(lambda: about(h, "trader"), "its report")
    assert (a["uid"], a["euid"], a["gid"]) == (NOBODY.pw_uid,) * 2 + (grp.getgrnam("daemon").gr_gid,)
    assert 0 not in a["groups"]
    assert a["cwd"] == "/usr/share" and a["umask"] == 0o027 and a["sid"] == a["pid"]
    assert a["fds"] == ["0", "1", "2", "3"]  # 3 is the listing itself
    assert limit(a, "Max open files") == ("77", "77")
    assert limit(a, "Max core file size") == ("0", "0")
    assert limit(a, "Max data size") == (str(512 << 20),) * 2
    assert limit(a, "Max processes") == ("500", "500")
    env = a["env"]
    assert env.pop("NOTIFY_SOCKET").startswith("@hale-trader-")
    assert env.pop("WATCHDOG_USEC") == "300000000"
    env.pop("TZ", None)
    env.pop("LC_CTYPE", None)  # python's own
    assert env == {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "LANG": "C.UTF-8", "HOME": NOBODY.pw_dir, "USER": "nobody", "LOGNAME": "nobody",
                   "SHELL": NOBODY.pw_shell, "MODE": "paper", "TOKEN": "hidden-token",
                   "HALE_PROGRAM": "trader", "HALE_INSTANCE": "hale"}
    p = h.process_of("trader")
    assert p["state"] == "ready" and p["pid"] == a["pid"]
    assert p["status_text"] == "trading 3 symbols"
    # What it says is in its file, in haled's own log, and in `hale logs`.
    text = wait_for(lambda: "stdin: some input" in log_of(h, "trader") and log_of(h, "trader"), "its lines")
    assert re.search(r"^\d{4}-\d\d-\d\dT[\d:.]+Z hello$", text, re.M)
    assert os.stat(f"{h.state_dir}/log/trader.log").st_mode & 0o777 == 0o640
    assert "hello" in h.cli("logs", "trader", check=True).stdout
    assert re.search(r" info +trader hello$", h.logs(), re.M)
    # The plain one runs as haled does.
    b = about(h, "plain")
    assert b["uid"] == os.getuid() and b["cwd"] == "/" and b["umask"] == 0o022
    assert "NOTIFY_SOCKET" not in b["env"] and "HALE_TEST_LEAK" not in b["env"]
    assert not os.path.exists(f"{h.state_dir}/log/plain.log")
    assert "hello" in h.cli("logs", "plain", check=True).stdout
    # Each is a component.
    c = h.component("program.trader")
    assert (c["kind"], c["status"], c["process"]) == ("program", "healthy", "haled")
    shown = h.cli("config", "show").stdout
    assert "paper" in shown and "hidden-token" not in shown


def test_memory_beyond_the_limit_is_refused(programs):
    h = programs("""
  small: {command: [@PROG@ small, eat=200], limits: {memory: 64MB}}
  large: {command: [@PROG@ large, eat=200]}
""")
    wait_for(lambda: "no memory" in log_of(h, "small"), "refusal")
    wait_for(lambda: "got it" in log_of(h, "large"), "memory")


def test_its_log_is_rotated_while_it_runs(programs):
    h = programs("""
  talker: {command: [@PROG@ talker, lines=3000, say=end],
           log: {max_size: 64KB, files: 2, timestamps: false}}
""")
    wait_for(lambda: "end" in log_of(h, "talker"), "all lines")
    files = [log_of(h, "talker", n) for n in (2, 1, 0)]
    assert not os.path.exists(f"{h.state_dir}/log/talker.log.3")
    assert all(len(f) <= 65536 for f in files) and all(len(f) > 65000 for f in files[:2])
    lines = "".join(files).splitlines()
    assert lines[-1] == "end"
    first = int(lines[0].split()[1])
    assert [int(x.split()[1]) for x in lines[:-1]] == list(range(first, 3000))


def test_logrotate_may_rename_its_log(programs):
    h = programs("  talker: {command: [@PROG@ talker, say=one, 'file=@DIR@/go', say=two]}\n")
    path = f"{h.state_dir}/log/talker.log"
    wait_for(lambda: "one" in log_of(h, "talker"), "first line")
    os.rename(path, path + ".old")
    h.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: h.cli("ping").returncode == 0, "haled")
    open(f"{h.dir}/go", "w").close()
    wait_for(lambda: "two" in log_of(h, "talker"), "line in the new file")
    assert "two" not in open(path + ".old").read()


def test_it_is_stopped_as_it_wants_and_killed_if_it_does_not_go(programs):
    h = programs("""
  polite: {command: [@PROG@ polite, "term=SIGINT,SIGTERM"], stop_signal: INT}
  stubborn: {command: [@PROG@ stubborn, ignore=SIGTERM, fork], stop_timeout: 300ms}
""")
    wait_for(lambda: os.path.exists(f"{h.dir}/out/stubborn.child"), "its child")
    child = int(wait_for(lambda: open(f"{h.dir}/out/stubborn.child").read(), "pid"))
    wait_for(lambda: events(h, "polite") == ["start"], "polite started")
    h.cli("stop", "polite", "stubborn", check=True)
    assert events(h, "polite") == ["start", "SIGINT"]
    assert wait_state(h, "stubborn", "stopped")["last_exit"]["signal"] == "SIGKILL"
    wait_for(lambda: not is_alive(child), "what it started is gone, too")
    assert h.process_of("polite")["last_exit"]["expected"]


def test_restart_always_on_failure_never(programs):
    h = programs("""
  always: {command: [@PROG@ always, 'file=@DIR@/go', exit=0], restart: {delay: 50ms}}
  good: {command: [@PROG@ good, 'file=@DIR@/go', exit=0], restart: on-failure}
  bad: {command: [@PROG@ bad, 'file=@DIR@/go', exit=3], restart: {when: on-failure, delay: 50ms}}
  never: {command: [@PROG@ never, 'file=@DIR@/go', exit=3], restart: never}
""")
    h.allow(*CRASH)
    open(f"{h.dir}/go", "w").close()
    wait_for(lambda: len(events(h, "always")) >= 3, "always starts again")
    wait_for(lambda: len(events(h, "bad")) >= 3, "bad starts again")
    good = wait_state(h, "good", "stopped")
    assert good["last_exit"]["code"] == 0 and events(h, "good") == ["start"]
    never = wait_state(h, "never", "held", "stopped")
    assert never["last_exit"]["code"] == 3 and events(h, "never") == ["start"]
    assert h.component("program.good")["status"] == "healthy"
    h.wait_status("program.never", "down", "critical")
    h.wait_status("program.bad", "critical")  # crash-looping


def test_order_at_start_and_stop(programs):
    h = programs("""
  app: {command: [@PROG@ app, ready, term=SIGTERM], notify: true, requires: [db, migrate]}
  migrate: {command: [@PROG@ migrate, 'file=@DIR@/go', exit=0], oneshot: true, requires: [db]}
  db: {command: [@PROG@ db, ready, term=SIGTERM], notify: true, after: [notifier]}
""", start=False)
    h.start(ready=False)
    # What is required must be there; the oneshot is only when it has ended.
    wait_for(lambda: events(h, "migrate") == ["start"], "migration started")
    assert h.process_of("db")["state"] == "ready" and events(h, "app") == []
    assert h.process_of("app")["state"] == "waiting"
    open(f"{h.dir}/go", "w").close()
    wait_state(h, "app", "ready")
    assert h.process_of("migrate")["state"] == "stopped"
    # Stopping what is required stops who requires it, first.
    h.cli("stop", "db", check=True)
    wait_for(lambda: h.process_of("app")["state"] == "waiting", "app waits")
    assert events(h, "app") == ["start", "SIGTERM"]
    h.cli("start", "db", check=True)
    wait_state(h, "app", "ready")
    assert h.stop() == 0
    text = h.logs()
    stops = re.findall(r"process=(\w+) event=stop state=stopped", text[text.rindex("stopping\n"):]
                       if "stopping\n" in text else text)
    last = [p for p in stops if p in ("app", "db", "notifier", "recorder", "web")][-5:]
    assert last == ["web", "app", "db", "notifier", "recorder"], stops


def test_a_crash_is_reported_with_its_last_words(programs):
    h = programs("  a: {command: [@PROG@ a, say=the last words, 'file=@DIR@/go', exit=7],"
                 " restart: {delay: 10m}}\n")
    h.allow(*CRASH)
    open(f"{h.dir}/go", "w").close()
    p = wait_state(h, "a", "backoff")
    assert p["last_exit"]["code"] == 7 and "the last words" in p["last_exit"]["last_lines"]
    assert "the last words" in h.cli("status").stdout
    assert h.wait_status("program.a", "degraded", "critical")["message"].find("exit code 7") >= 0


def test_what_cannot_be_started_says_why(programs):
    h = programs("  a: {command: [@PROG@ a], directory: @DIR@/home, restart: {delay: 100ms}}\n",
                 start=False)
    os.mkdir(f"{h.dir}/home")
    h.start()
    h.allow(*CRASH)
    os.rmdir(f"{h.dir}/home")
    h.cli("restart", "a", "--no-wait")
    wait_for(lambda: "cannot enter directory" in h.cli("logs", "a").stdout, "why")
    os.mkdir(f"{h.dir}/home")
    wait_state(h, "a", "ready")


def test_reload_touches_only_what_changed(programs):
    def yaml(b_mode, extra=""):
        return f"""
  a: {{command: [@PROG@ a, term=SIGTERM]}}
  b: {{command: [@PROG@ b, term=SIGTERM], environment: {{MODE: {b_mode}}}}}
{extra}"""
    h = programs(yaml("one"))
    before = {n: h.process_of(n)["pid"] for n in ("a", "b", "notifier", "recorder", "web")}
    h.programs(yaml("two"))
    h.cli("reload", check=True)
    wait_for(lambda: about(h, "b")["env"]["MODE"] == "two", "b restarted")
    wait_state(h, "b", "ready")
    assert events(h, "a") == ["start"] and events(h, "b") == ["start", "SIGTERM", "start"]
    # What a process does not feel restarts nothing.
    h.programs(yaml("two").replace("SIGTERM]}", "SIGTERM], stop_timeout: 3s, log: {files: 2}}"))
    h.cli("reload", check=True)
    # Added and removed.
    h.programs(yaml("two", "  c: {command: [@PROG@ c, term=SIGTERM]}\n"))
    h.cli("reload", check=True)
    wait_state(h, "c", "ready")
    assert h.component("program.c")["status"] == "healthy"
    h.programs(yaml("two"))
    h.cli("reload", check=True)
    wait_for(lambda: events(h, "c") == ["start", "SIGTERM"], "c stopped")
    wait_for(lambda: "c" not in [p["name"] for p in h.status()["processes"]], "c gone")
    assert "program.c" not in [c["id"] for c in h.status()["components"]]
    after = {n: h.process_of(n)["pid"] for n in before}
    assert {n for n in before if after[n] != before[n]} <= {"b", "recorder", "web", "notifier"}
    assert after["a"] == before["a"] and events(h, "a") == ["start"]


def test_a_bad_program_is_refused_by_reload(programs):
    h = programs("  a: {command: [@PROG@ a]}\n")
    h.programs("  a: {command: [/no/such]}\n")
    h.allow(r"reload", r"not good", r"configuration")
    r = h.cli("reload")
    assert r.returncode != 0 and "there is no program '/no/such'" in r.stdout + r.stderr
    assert "hale.yaml:" in r.stdout + r.stderr
    assert h.process_of("a")["state"] == "ready"


def test_a_daemon_is_not_left_behind(programs):
    h = programs("  a: {command: [@PROG@ a, daemon], restart: never}\n", start=False)
    h.allow(r"left processes behind, killed")
    h.start(ready=False)
    pid = int(wait_for(lambda: open(f"{h.dir}/out/a.daemon").read(), "its pid"))
    wait_for(lambda: not is_alive(pid), "the daemon is gone")
    assert re.search(r"left processes behind, killed process=a processes=1", h.logs())
    wait_state(h, "a", "stopped")


def test_one_that_floods_does_not_slow_the_others(programs):
    h = programs("""
  flood: {command: [@PROG@ flood, 'file=@DIR@/go', lines=1000000, say=end],
          log: {max_size: 1MB, files: 1}}
  calm: {command: [@PROG@ calm, 'file=@DIR@/calm', say=calm]}
""", rest="components:\n  api: {null: {}, interval: 1s, timeout: 500ms}\n")
    open(f"{h.dir}/go", "w").close()
    wait_for(lambda: os.path.exists(f"{h.state_dir}/log/flood.log.1"), "the flood has begun")
    before = h.component("api")["last_check"]
    open(f"{h.dir}/calm", "w").close()
    wait_for(lambda: "calm" in log_of(h, "calm"), "calm is heard")
    wait_for(lambda: h.component("api")["last_check"] > before, "the check goes on")
    assert h.component("api")["status"] == "healthy"
    wait_for(lambda: "end" in log_of(h, "flood"), "all of it", deadline=4 * DEADLINE)
    assert h.process_of("flood")["restarts"] == 0
    lines = (log_of(h, "flood", 1) + log_of(h, "flood")).splitlines()
    numbers = [int(x.split()[2]) for x in lines[:-1]]
    assert numbers == list(range(numbers[0], 1000000))
    if not os.environ.get("HALE_SANITIZED"):  # which keeps what was freed
        with open(f"/proc/{h.process.pid}/status") as f:
            assert int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) < 100000


def test_a_failing_check_restarts_its_program(programs):
    h = programs("""
  a: {command: [@PROG@ a], ready_after: 0,
      on_check_failure: {components: [api], after: 200ms, limit: 2, window: 1h}}
""", start=False, rest="components:\n  api: {null: {file: '@DIR@/api'}, interval: 100ms,"
                       " timeout: 50ms}\n")
    with open(f"{h.dir}/api", "w") as f:
        f.write("pass")
    h.allow(*CRASH, r"check", r"restart")
    h.start()
    with open(f"{h.dir}/api.new", "w") as f:
        f.write("down broken")
    os.rename(f"{h.dir}/api.new", f"{h.dir}/api")
    wait_for(lambda: len(events(h, "a")) == 3, "restarted twice")
    # Then it is told, and left alone.
    wait_for(lambda: "check_restart" in h.cli("events").stdout or "restart" in h.logs(), "told")
    h.wait_status("api", "down")
    assert len(events(h, "a")) == 3


def test_a_program_that_hangs_is_killed(programs):
    h = programs("""
  a: {command: [@PROG@ a, ready, watchdog=5], notify: true, watchdog: 500ms,
      restart: {delay: 10m}}
""")
    h.allow(*CRASH)
    p = wait_state(h, "a", "backoff")
    assert p["last_exit"]["signal"] in ("SIGABRT", "SIGKILL")


def test_signals_are_handed_on(programs):
    h = programs("""
  a: {command: [@PROG@ a, note=SIGUSR2, note=SIGHUP, ready], notify: true,
      forward_signals: [USR2, HUP]}
  b: {command: [@PROG@ b, note=SIGUSR2, ready], notify: true}
""")
    h.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "SIGUSR2" in events(h, "a"), "USR2")
    h.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "SIGHUP" in events(h, "a"), "HUP, after the reload")
    assert events(h, "b") == ["start"]


def test_on_failing_runs_when_it_cannot_be_kept_running(programs):
    h = programs("""
  a: {command: [@PROG@ a, exit=1], restart: {delay: 20ms, burst: 2},
      on_failing: [sh, -c, "echo $HALE_PROCESS $HALE_STATE > @DIR@/told"]}
""", start=False)
    h.allow(*CRASH, r"cannot be kept running")
    h.start(ready=False)
    assert wait_for(lambda: open(f"{h.dir}/told").read(), "told").split()[0] == "a"
