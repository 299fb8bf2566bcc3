# SPDX-License-Identifier: Apache-2.0
"""haled under an init system, as PID 1, and beside others of its kind (docs/deploy.md)."""
import contextlib
import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import BIN, DEADLINE, Rpc, is_alive, wait_for

TWO = """
components:
  a: {null: {file: '@DIR@/a'}, interval: 200ms}
"""
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs a namespace, so root")


# ---- what systemd is told ----

class Manager:
    """The socket on which systemd would listen, and all that came."""

    def __init__(self, directory):
        self.path = f"{directory}/manager"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.1)
        self.messages = []
        self.is_open = True
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while self.is_open:
            with contextlib.suppress(TimeoutError):
                text = self.socket.recv(4096).decode()
                self.messages.append((time.monotonic(), dict(
                    line.split("=", 1) for line in text.splitlines())))

    def all(self, key):
        return [m[key] for _, m in list(self.messages) if key in m]

    def keys(self):
        return [k for _, m in list(self.messages) for k in m]

    def wait(self, key, count=1):
        return wait_for(lambda: len(self.all(key)) >= count and self.all(key),
                        f"{count} x {key}")

    def close(self):
        self.is_open = False
        self.thread.join()
        self.socket.close()


@pytest.fixture
def manager():
    directory = tempfile.mkdtemp(prefix="hale-m", dir="/tmp")
    m = Manager(directory)
    yield m
    m.close()
    shutil.rmtree(directory)


def tell(h, name, text):
    with open(f"{h.dir}/{name}", "w") as f:
        f.write(text)


def made(hale, config=TWO):
    h = hale(config, start=False)
    tell(h, "a", "pass")
    return h


def test_systemd_is_told_of_every_stage_and_fed(hale, manager):
    h = made(hale)
    h.env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"}
    before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    h.start()
    manager.wait("READY")
    manager.wait("WATCHDOG", 5)
    assert any("ready" in text for text in manager.wait("STATUS"))
    h.cli("reload", check=True)
    reloading = [m for _, m in manager.messages if "RELOADING" in m]
    assert len(reloading) == 1
    now = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    assert before < int(reloading[0]["MONOTONIC_USEC"]) <= now
    manager.wait("READY", 2)
    assert h.stop() == 0
    manager.wait("STOPPING")
    keys = [k for k in manager.keys() if k in ("READY", "RELOADING", "STOPPING")]
    assert keys == ["READY", "RELOADING", "READY", "STOPPING"]


def test_status_tells_systemd_how_things_are(hale, manager):
    h = made(hale)
    h.env = {"NOTIFY_SOCKET": manager.path}
    h.start()
    h.wait_status("a", "healthy")
    wait_for(lambda: manager.all("STATUS")[-1].startswith("healthy"), "healthy told")
    tell(h, "a", "fail")
    h.wait_status("a", "critical")
    wait_for(lambda: manager.all("STATUS")[-1].startswith("critical"), "critical told")


def fed_after(manager, moment):
    return len([1 for at, m in list(manager.messages) if "WATCHDOG" in m and at > moment])


def kill_process(h, name):
    os.kill(h.process_of(name)["pid"], signal.SIGKILL)
    wait_for(lambda: h.process_of(name)["state"] == "backoff", f"{name} waits")


def test_the_watchdog_is_not_fed_while_a_vital_process_is_missing(hale, manager):
    late = "restart: {delay: 1h}, vital_grace: 1s"
    h = made(hale, TWO + "processes: {recorder: {%s}, notifier: {%s}, web: {%s}}\n" % (
        late, late, late))
    h.env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"}
    h.allow("process ended unexpectedly", "watchdog is not fed")
    h.start()
    # Who is not vital is not waited for, nor who was stopped on purpose.
    kill_process(h, "web")
    h.cli("stop", "notifier", check=True)
    moment = time.monotonic()
    wait_for(lambda: time.monotonic() > moment + 2.5 and fed_after(manager, moment + 2), "fed")
    assert "watchdog is not fed" not in h.logs()
    kill_process(h, "recorder")
    wait_for(lambda: "watchdog is not fed" in h.logs(), "given up")
    moment = time.monotonic()
    # Nothing comes while it is missing: five intervals are seen in the log.
    before = h.logs().count("watchdog is not fed")
    wait_for(lambda: h.logs().count("watchdog is not fed") > before + 5, "five looks later")
    assert fed_after(manager, moment) == 0
    h.cli("start", "recorder", check=True)
    wait_for(lambda: fed_after(manager, time.monotonic() - 0.2) > 0, "fed again")


def test_what_is_vital_is_said_in_the_configuration(hale, manager):
    h = made(hale, TWO + "processes: {recorder: {restart: {delay: 1h}, vital: false, vital_grace: 1s},"
             " web: {restart: {delay: 1h}, vital: true, vital_grace: 1s}}\n")
    h.env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"}
    h.allow("process ended unexpectedly", "watchdog is not fed")
    h.start()
    kill_process(h, "recorder")
    moment = time.monotonic()
    wait_for(lambda: fed_after(manager, moment + 2), "fed without the recorder")
    kill_process(h, "web")
    wait_for(lambda: "watchdog is not fed" in h.logs() and "process=web" in h.logs(), "given up")


def test_init_is_asked_for_patience_while_a_process_takes_its_time(hale, manager):
    h = made(hale, TWO + """programs:
  slow: {command: [python3, -c, "import signal, time; signal.signal(signal.SIGTERM, lambda *a: (time.sleep(6), exit(0))); signal.pause()"],
         ready_after: 6s, stop_timeout: 1m}
""")
    h.env = {"NOTIFY_SOCKET": manager.path}
    h.start(ready=False)
    asked = manager.wait("EXTEND_TIMEOUT_USEC")
    assert int(asked[0]) > 10e6 and "READY" not in manager.keys()
    manager.wait("READY")
    n = manager.keys().count("EXTEND_TIMEOUT_USEC")
    assert h.stop() == 0
    assert manager.keys().count("EXTEND_TIMEOUT_USEC") > n


def test_an_upgrade_that_fails_leaves_nobody_reloading(hale, manager):
    h = made(hale)
    h.env = {"NOTIFY_SOCKET": manager.path}
    h.allow("upgrade", "state file cannot be written")
    h.start()
    manager.wait("READY")
    state = f"{h.state_dir}/health.state"
    if os.path.exists(state):
        os.rename(state, state + ".away")
    os.mkdir(state)
    # What it knows of health would not reach the new program.
    assert h.cli("upgrade").returncode == 1
    assert Rpc(h, "haled").call("ping")["generation"] == 1
    keys = [k for k in manager.keys() if k in ("READY", "RELOADING")]
    assert keys.count("RELOADING") == 2 and keys[-1] == "READY"
    os.rmdir(state)
    assert h.cli("upgrade").returncode == 0
    assert Rpc(h, "haled").call("ping")["generation"] == 2


def test_a_file_descriptor_is_told_when_ready_and_closed(hale):
    h = made(hale)
    reader, writer = os.pipe()
    h.write(TWO)
    log = open(h.log_path, "ab")
    h.process = subprocess.Popen(
        [f"{BIN}/haled", "--config", h.config_path, "--run-dir", h.run_dir, "--state-dir",
         h.state_dir, "--ready-fd", str(writer)], stderr=log, stdout=log, pass_fds=[writer],
        start_new_session=True)
    log.close()
    os.close(writer)
    with os.fdopen(reader, "rb") as f:
        # To the end: nobody else may hold it open.
        assert f.read() == b"\n"
    assert all(p["state"] == "ready" for p in h.status()["processes"])


# ---- exit codes ----

def haled(*args, **kw):
    return subprocess.run([f"{BIN}/haled", *args], capture_output=True, text=True,
                          timeout=DEADLINE, **kw)


def test_exit_codes_say_what_a_manager_needs_to_know(hale):
    h = made(hale)
    common = ["--config", h.config_path, "--run-dir", h.run_dir]
    assert haled("--version").returncode == 0
    assert haled("--no-such-option").returncode == 2
    assert haled("and-an-argument").returncode == 2
    for wrong in ("1", "x", "", "99"):
        assert haled("--ready-fd", wrong).returncode == 2
    tell(h, "file", "")
    r = haled(*common, "--state-dir", f"{h.dir}/file")
    assert r.returncode == 1 and f"{h.dir}/file" in r.stderr
    tell(h, "bad.yaml", "components: {a: {nul: {}}}\n")
    r = haled("--config", f"{h.dir}/bad.yaml", "--run-dir", h.run_dir, "--state-dir", h.state_dir)
    assert r.returncode == 78 and "bad.yaml" in r.stderr
    h.start()
    assert h.stop() == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPWR])
def test_whatever_asks_it_to_stop_stops_it_in_order(hale, sig):
    h = made(hale).start()
    h.note_pids()
    h.process.send_signal(sig)
    assert h.process.wait(DEADLINE) == 0
    assert "stopped" in h.logs().splitlines()[-1]


def test_check_says_when_a_run_directory_is_too_deep(hale):
    h = made(hale)
    args = ["--check", "--config", h.config_path, "--state-dir", h.state_dir, "--run-dir"]
    assert haled(*args, h.run_dir).returncode == 0
    r = haled(*args, "/tmp/" + "d" * 100)
    assert r.returncode == 78
    assert "socket" in r.stderr and "shorter --run-dir" in r.stderr
    r = haled(*args, "/tmp/" + "d" * 100, "--json")
    assert r.returncode == 78 and "socket" in json.loads(r.stdout)[0]["message"]


# ---- alone, killed, beside others ----

def test_killed_haled_leaves_nothing_and_binds_the_same_ports_again(hale):
    h = made(hale).start()
    pids = {p["pid"] for p in h.status()["processes"]}
    port = h.port
    h.kill()
    wait_for(lambda: not any(is_alive(p) for p in pids), "all gone", deadline=2)
    h.start()
    assert not pids & {p["pid"] for p in h.status()["processes"]}
    assert h.port == port and h.get("/livez")[0] == 200


def test_several_run_side_by_side_and_know_nothing_of_each_other(hale):
    all_of_them = [made(hale) for _ in range(3)]
    for h in all_of_them:
        h.start()
    for h, text, wanted in zip(all_of_them, ("fail", "pass", "warn"),
                               ("critical", "healthy", "degraded")):
        tell(h, "a", text)
        h.wait_status("a", wanted)
    for h, wanted in zip(all_of_them, ("critical", "healthy", "degraded")):
        assert h.component("a")["status"] == wanted
        # 503 is how /health says critical
        assert h.get("/health")[0] in (200, 503)
    pids = {p["pid"] for h in all_of_them[1:] for p in h.status()["processes"]}
    all_of_them[0].kill()
    all_of_them[0].start()
    assert pids == {p["pid"] for h in all_of_them[1:] for p in h.status()["processes"]}


def test_a_reader_of_its_log_that_stalls_does_not_stall_haled(hale):
    h = made(hale)
    h.write(TWO + "  chatty: {exec: {command: [/bin/true]}, interval: 100ms}\n")
    reader, writer = os.pipe()
    h.process = subprocess.Popen(
        [f"{BIN}/haled", "--config", h.config_path, "--run-dir", h.run_dir, "--state-dir",
         h.state_dir, "--verbose"], stderr=writer, stdout=writer, start_new_session=True)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as f:
        h.wait_ready()
        # The pipe is full when more was written than it holds: each reload logs some lines.
        room = 65536
        fcntl.fcntl(f, fcntl.F_SETPIPE_SZ, 4096)
        for _ in range(30):
            h.cli("reload", check=True)
        tell(h, "a", "fail")
        h.wait_status("a", "critical")
        tell(h, "a", "pass")
        h.wait_status("a", "healthy")
        text = b""
        while b"lines lost" not in text:
            text += f.read(room)
            h.cli("reload", check=True)
        assert re.search(rb" warn  haled \d+ lines lost: ", text)
        drain = threading.Thread(target=lambda: [None for _ in iter(lambda: f.read(room), b"")])
        drain.start()
        assert h.stop() == 0
        drain.join()


# ---- haled is PID 1 ----

ORPHANS = """
components:
  a: {null: {file: '@DIR@/a'}, interval: 200ms}
  o: {exec: {command: [/bin/sh, -c, "(setsid sleep 0.05 &) >/dev/null 2>&1; echo OK"]}, interval: 100ms}
"""


class Container:
    """haled as PID 1 of a PID namespace of its own, as a container runtime would start it."""

    def __init__(self, h):
        self.h = h
        self.log = open(h.log_path, "ab")
        # The outer process is unshare, which waits for PID 1 and ends as it does.
        h.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount-proc", f"{BIN}/haled", "--config", h.config_path,
             "--run-dir", h.run_dir, "--state-dir", h.state_dir],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        self.log.close()
        h.wait_ready()
        self.pid = int(open(f"/proc/{h.process.pid}/task/{h.process.pid}/children").read())
        self.namespace = os.readlink(f"/proc/{self.pid}/ns/pid")

    def inside(self):
        """{pid as seen from here: (state, command line)} of all in the namespace."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/ns/pid") == self.namespace:
                    with open(f"/proc/{pid}/stat") as f:
                        state = f.read().rsplit(")", 1)[1].split()[0]
                    with open(f"/proc/{pid}/cmdline") as f:
                        found[int(pid)] = (state, f.read())
        return found

    def enter(self, *command, **kw):
        """What somebody starts in there without haled, as `docker exec` does."""
        return subprocess.Popen(["nsenter", "-t", str(self.pid), "--pid", "--mount", *command], **kw)


@pytest.fixture
def container(hale):
    running = []

    def make(config=TWO, h=None):
        running.append(Container(h or made(hale, config)))
        return running[-1]

    yield make
    for c in running:
        # Its parent, unshare, does not hand signals on.
        if c.h.process is not None and c.h.process.poll() is None:
            os.kill(c.pid, signal.SIGTERM)


@needs_root
def test_pid_1_reaps_what_nobody_else_does(container):
    c = container(ORPHANS)
    h = c.h
    assert h.status()["pid"] == 1
    first = h.component("o")["last_check"]
    wait_for(lambda: h.component("o")["last_check"] > first and c.inside(), "some have run")
    # Thirty more rounds leave an orphan each; none of them may stay a zombie.
    wait_for(lambda: h.process_of("check.exec")["state"] == "ready" and len(
        [1 for s, _ in c.inside().values() if s == "Z"]) <= 2, "reaped")
    counts = []
    for _ in range(30):
        last = h.component("o")["last_check"]
        wait_for(lambda: h.component("o")["last_check"] != last, "another round")
        counts.append(len([1 for s, _ in c.inside().values() if s == "Z"]))
    assert counts[-1] <= 2 and sum(counts) < len(counts) * 2, counts


@needs_root
def test_pid_1_ends_what_is_left_and_exits_with_zero(container):
    c = container()
    h = c.h
    h.allow("something had to be killed")
    gentle = c.enter("sh", "-c", "trap 'echo asked; exit 7' TERM; echo up; while :; do sleep 0.1; done",
                     stdout=subprocess.PIPE, text=True)
    deaf = c.enter("sh", "-c", "trap '' TERM; echo up; setsid sleep 1000 & exec sleep 1000",
                   stdout=subprocess.PIPE, text=True)
    assert gentle.stdout.readline() == deaf.stdout.readline() == "up\n"
    os.kill(c.pid, signal.SIGTERM)
    assert h.process.wait(DEADLINE) == 0
    assert gentle.stdout.read() == "asked\n"
    assert gentle.wait(DEADLINE) == 7
    assert deaf.wait(DEADLINE) != 0
    assert "something had to be killed" in h.logs()
    assert c.inside() == {}
    gentle.stdout.close()
    deaf.stdout.close()


@needs_root
def test_killed_pid_1_takes_everything_with_it_and_comes_back(container):
    c = container(ORPHANS)
    assert len(c.inside()) > 3
    os.kill(c.pid, signal.SIGKILL)
    c.h.process.wait(DEADLINE)
    wait_for(lambda: not c.inside(), "all gone", deadline=2)
    again = container(h=c.h)
    c.h.wait_status("a", "healthy")
    os.kill(again.pid, signal.SIGINT)
    assert c.h.process.wait(DEADLINE) == 0
    wait_for(lambda: not again.inside(), "all gone", deadline=2)


# ---- users ----

SERVICE = pwd.getpwnam("daemon") if os.getuid() == 0 else None
OTHER = pwd.getpwnam("games") if os.getuid() == 0 else None


def as_user(user, groups, *command):
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE,
                          user=user.pw_uid, group=user.pw_gid, extra_groups=groups)


def owner(path):
    st = os.stat(path)
    return st.st_uid, st.st_gid, st.st_mode & 0o7777


def identity(pid):
    """(uids, gids, groups) of a process."""
    with open(f"/proc/{pid}/status") as f:
        found = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    return tuple([int(n) for n in found[k].split()] for k in ("Uid", "Gid", "Groups"))


def with_user(hale, more=""):
    h = made(hale, "instance: {user: daemon%s}\n" % more + TWO.replace("  a:", """  who:
    exec: {command: [/usr/bin/id, -un]}
    interval: 200ms
  a:""") + "programs:\n  sleeper: {command: [/bin/sleep, '1000']}\n"
             "  root_one: {command: [/bin/sleep, '1000'], user: root}\n")
    os.chmod(h.dir, 0o711)
    return h


def cli_as(h, user, groups, *args):
    return as_user(user, groups, f"{BIN}/hale", "--run-dir", h.run_dir, *args)


@needs_root
def test_all_its_processes_run_as_the_service_user(hale):
    h = with_user(hale).start()
    h.wait_status("a", "healthy")
    assert h.wait_status("who", "healthy")["message"].startswith("daemon")
    uid, gid = SERVICE.pw_uid, SERVICE.pw_gid
    for p in h.status()["processes"]:
        uids, gids, _ = identity(p["pid"])
        wanted = (0, 0) if p["name"] == "root_one" else (uid, gid)
        assert uids == [wanted[0]] * 4 and gids == [wanted[1]] * 4, p["name"]
    assert identity(h.process.pid)[0] == [0] * 4
    assert owner(h.run_dir) == (uid, gid, 0o2750)
    assert owner(h.state_dir) == (uid, gid, 0o750)
    assert owner(f"{h.run_dir}/haled.ipc") == (uid, gid, 0o660)
    assert owner(f"{h.run_dir}/notifier.ipc") == (uid, gid, 0o660)
    assert owner(f"{h.run_dir}/results.ipc") == (uid, gid, 0o600)
    assert owner(f"{h.state_dir}/notifier.db")[0] == uid
    wait_for(lambda: owner(f"{h.state_dir}/health.state")[0] == 0, "haled's own stays root's")


@needs_root
def test_the_group_may_use_the_cli_and_nobody_else(hale):
    h = with_user(hale).start()
    h.wait_status("a", "healthy")
    assert h.cli("status", "a").returncode == 0, "root"
    assert cli_as(h, SERVICE, [], "status", "a").returncode == 0, "the service user"
    r = cli_as(h, OTHER, [SERVICE.pw_gid], "status", "a")
    assert r.returncode == 0, r.stderr
    assert cli_as(h, OTHER, [SERVICE.pw_gid], "restart", "check.null").returncode == 0
    assert cli_as(h, OTHER, [SERVICE.pw_gid], "alerts").returncode == 0
    r = cli_as(h, OTHER, [OTHER.pw_gid], "status", "a")
    assert r.returncode == 3 and "hale:" in r.stderr
    # Past the directory, the sockets refuse as well.
    os.chmod(h.run_dir, 0o755)
    for name in ("haled.ipc", "notifier.ipc", "results.ipc", "bus.ipc"):
        r = as_user(OTHER, [], "/usr/bin/python3", "-c",
                    "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
                    f"{h.run_dir}/{name}")
        assert "PermissionError" in r.stderr, name
    r = as_user(OTHER, [SERVICE.pw_gid], "/usr/bin/python3", "-c",
                "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
                f"{h.run_dir}/results.ipc")
    assert "PermissionError" in r.stderr, "who may look may not report"


@needs_root
def test_what_ran_as_root_is_handed_over_and_no_link_is_followed(hale):
    h = made(hale).start()
    h.wait_status("a", "healthy")
    os.chmod(h.dir, 0o711)
    assert h.stop() == 0
    victim = f"{h.dir}/victim"
    tell(h, "victim", "root's own")
    os.symlink(victim, f"{h.state_dir}/link")
    os.link(victim, f"{h.state_dir}/second-name")
    os.symlink(victim, f"{h.state_dir}/health.state.new")
    h.write("instance: {user: daemon}\n" + TWO)
    h.start()
    assert owner(f"{h.state_dir}/history.db")[0] == SERVICE.pw_uid
    assert h.stop() == 0
    assert owner(victim)[:2] == (0, 0)
    with open(victim) as f:
        assert f.read() == "root's own"
    assert not os.path.islink(f"{h.state_dir}/health.state")


@needs_root
def test_an_ordinary_user_with_a_directory_of_its_own(hale):
    """As under User=hale, and as root's file says anyway: the directory says who else may use the CLI."""
    h = made(hale, "instance: {user: daemon}\n" + TWO)
    for path in (h.run_dir, h.state_dir):
        os.mkdir(path)
        os.chown(path, SERVICE.pw_uid, SERVICE.pw_gid)
        os.chmod(path, 0o750)
    os.chmod(h.dir, 0o711)
    os.chmod(h.config_path, 0o644)
    os.chmod(f"{h.dir}/a", 0o644)
    with open(h.log_path, "ab") as log:
        h.process = subprocess.Popen(
            [f"{BIN}/haled", "--config", h.config_path, "--run-dir", h.run_dir, "--state-dir",
             h.state_dir], stdout=log, stderr=log, start_new_session=True, user=SERVICE.pw_uid,
            group=SERVICE.pw_gid, extra_groups=[])
    h.wait_ready()
    h.wait_status("a", "healthy")
    assert cli_as(h, OTHER, [SERVICE.pw_gid], "reload").returncode == 0
    assert cli_as(h, OTHER, [], "reload").returncode == 3
    assert owner(f"{h.run_dir}/web.ipc") == (SERVICE.pw_uid, SERVICE.pw_gid, 0o660)


@needs_root
def test_a_user_who_does_not_exist_is_an_error_with_a_place(hale):
    h = made(hale, "instance: {user: no-such-user}\n" + TWO)
    r = haled("--check", "--config", h.config_path, "--run-dir", h.run_dir)
    assert r.returncode == 78
    assert ":1:18: " in r.stderr and "no user 'no-such-user'" in r.stderr


@needs_root
def test_the_service_user_does_not_change_by_a_reload(hale):
    h = with_user(hale).start()
    h.write("instance: {user: games}\n" + TWO)
    h.allow("reload refused")
    r = h.cli("reload")
    assert r.returncode == 1 and "restarted" in r.stderr + r.stdout
    assert all(p["state"] == "ready" for p in h.status()["processes"])
