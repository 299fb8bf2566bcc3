# SPDX-License-Identifier: Apache-2.0
"""The operator's command as a person meets it: in a terminal, in a shell that completes, in a pipe."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

from conftest import BIN, DEADLINE, wait_for

CONFIG = """
components:
  api: {null: {}, interval: 1s, timeout: 500ms}
  db: {null: {}, interval: 1s, timeout: 500ms}
"""


class Terminal:
    """A program on a terminal of its own: what it is sent, and all that it wrote."""

    def __init__(self, argv, env=None, columns=100, lines=30):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm", "PS1": "$ ", **(env or {})})
            os.execvp(argv[0], argv)
        self.resize(columns, lines)

    def resize(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        """What comes within so long; False at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, what=None):
        """Reads until it is there; what came before is forgotten."""
        end = time.monotonic() + DEADLINE
        while True:
            m = re.search(pattern, self.text)
            if m:
                self.text = self.text[m.end():]
                return m
            if time.monotonic() > end or not self.read(0.2):
                raise AssertionError(f"{what or pattern!r} not in {self.text!r}")

    def modes(self):
        return termios.tcgetattr(self.fd)

    def wait(self):
        """Its wait status, once it has ended."""
        while self.read(0.2):
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.pid = 0
                return status
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return status

    def close(self):
        if self.pid:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal():
    made = []

    def make(*args, **kw):
        made.append(Terminal(*args, **kw))
        return made[-1]
    yield make
    for t in made:
        t.close()


# ---- restart ----

def test_restart_all_takes_one_after_the_other(hale):
    h = hale(CONFIG)
    before = {p["name"]: p["generation"] for p in h.status()["processes"]}
    r = h.cli("restart", "--all", check=True)
    lines = r.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["web", "check.null", "notifier", "recorder"], lines
    assert all(re.fullmatch(r"\S+ +ready in [\d.]+ m?s \(pid \d+\)", line) for line in lines), lines
    after = {p["name"]: p["generation"] for p in h.status()["processes"]}
    assert after == {name: n + 1 for name, n in before.items()}


def test_restart_all_stops_at_the_first_that_does_not_come_back(hale):
    h = hale(CONFIG + "processes: {check.null: {watchdog: 10m, stop_timeout: 10m}}\n")
    h.cli("stop", "notifier", check=True)
    # One that does not even stop: its turn ends with the time it is given.
    pid = h.process_of("check.null")["pid"]
    os.kill(pid, signal.SIGSTOP)
    r = h.cli("restart", "--all", "--timeout", "5s")
    os.kill(pid, signal.SIGCONT)
    assert r.returncode == 1
    assert "notifier is stopped and stays so\n" in r.stdout
    assert re.search(r"^web +ready in ", r.stdout, re.M), r.stdout
    assert re.search(r"^check.null is not ready but stopping", r.stdout, re.M), r.stdout
    assert "left alone: recorder" in r.stdout
    h.cli("start", "--all", check=True)
    assert all(p["state"] == "ready" for p in h.status()["processes"])


def test_groups_and_components_name_processes(hale):
    h = hale(CONFIG)
    assert re.match(r"check.null ready in ", h.cli("restart", "checkers", check=True).stdout)
    assert re.match(r"web ready in ", h.cli("restart", "hale.web", check=True).stdout)
    r = h.cli("restart", "api")
    assert r.returncode == 2
    assert "api is no process but a component, which check.null checks" in r.stderr
    r = h.cli("restart", "recrder")
    assert (r.returncode, "did you mean 'recorder'" in r.stderr) == (2, True), r.stderr


def test_logs_of_several_processes(hale):
    h = hale(CONFIG)
    h.cli("restart", "--all", check=True)
    lines = [json.loads(line) for line in
             h.cli("-o", "json", "logs", "recorder", "web", "-n", "500").stdout.splitlines()]
    assert {line["process"] for line in lines} <= {"recorder", "web"} and lines
    assert h.cli("logs", "recorder", "nobody").returncode == 2


# ---- completion ----

def type_in(shell, line, expected):
    shell.send(line)
    shell.expect(expected)
    shell.send("\x15")  # the line is thrown away
    shell.expect(r"(?s).*")


def test_bash_completes_verbs_options_and_names(hale, terminal):
    h = hale(CONFIG)
    shell = terminal(["bash", "--noprofile", "--norc"],
                     {"HALE_RUN_DIR": h.run_dir, "PATH": f"{BIN}:{os.environ['PATH']}"})
    shell.expect(r"\$ ")
    shell.send("source <(hale completion bash); echo loa''ded\n")
    shell.expect(r"loaded\r\n.*\$ ")
    for line, expected in [("hale stat\t", r"hale status $"),
                           ("hale restart rec\t", r"hale restart recorder $"),
                           ("hale restart 'check.n\t", r"hale restart 'check.null' $"),
                           ("hale restart --no-w\t", r"--no-wait $"),
                           ("hale show hale.w\t", r"hale show hale.web $"),
                           ("hale --output=js\t", r"hale --output=json $"),
                           ("hale -o js\t", r"hale -o json $"),
                           ("hale config sh\t", r"hale config show $"),
                           ("hale config show sto\t", r"hale config show store $"),
                           ("hale check d\t", r"hale check db $"),
                           ("hale --run-dir /nowhere restart rec\t", r"restart rec(\x07)?$")]:
        type_in(shell, line, expected)


def test_zsh_completes_verbs_options_and_names(hale, terminal, tmp_path):
    assert shutil.which("zsh"), "zsh is a test dependency: scripts/install-packages test"
    script = tmp_path / "_hale"
    script.write_text(subprocess.run([f"{BIN}/hale", "completion", "zsh"], capture_output=True,
                                     text=True, check=True).stdout)
    subprocess.run(["zsh", "-n", str(script)], check=True)
    h = hale(CONFIG)
    shell = terminal(["zsh", "-f"], {"HALE_RUN_DIR": h.run_dir, "ZDOTDIR": str(tmp_path),
                                     "PATH": f"{BIN}:{os.environ['PATH']}", "PS1": "$ ",
                                     "TERM": "dumb"})
    shell.expect(r"\$ ")
    shell.send(f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -D -u; echo loa''ded\n")
    shell.expect(r"loaded\r+\n")
    for line, expected in [("hale stat\t", r"hale status $"),
                           ("hale restart rec\t", r"hale restart recorder $"),
                           ("hale --output=js\t", r"hale --output=json $"),
                           ("hale config show sto\t", r"hale config show store $"),
                           ("hale restart web --no-w\t", r"--no-wait $")]:
        type_in(shell, line, expected)


def test_completion_is_quick_and_silent_without_hale(tmp_path):
    for line in (["restart", ""], ["alerts", "show", ""], ["config", "show", ""], ["reconcile", ""]):
        r = subprocess.run([f"{BIN}/hale", "--run-dir", str(tmp_path), "completion", "words", "--",
                            *line], capture_output=True, text=True, timeout=DEADLINE)
        assert (r.returncode, r.stderr) == (0, ""), r
        assert "recorder" not in r.stdout


# ---- configuration ----

def test_the_configuration_is_shown_as_people_write_it(hale, tmp_path):
    h = hale(CONFIG)
    shown = h.cli("config", "show", check=True).stdout
    assert "interval: 1s" in shown and "ring: 64MB" in shown, shown
    assert h.json("config", "show")["components"]["api"]["interval"] == 1000
    # What is shown is a file again, but for the secrets.
    path = tmp_path / "again.yaml"
    path.write_text(shown.replace('"********"', "secret-token"))
    r = h.cli("config", "check", str(path))
    assert r.returncode == 0, r.stdout + r.stderr
    assert "did you mean 'store'" in h.cli("config", "show", "stoer").stderr


def test_schema_and_pages_need_no_hale(tmp_path):
    def say(*args):
        return subprocess.run([f"{BIN}/hale", "--run-dir", str(tmp_path), *args],
                              capture_output=True, text=True, timeout=DEADLINE,
                              env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})
    assert json.loads(say("config", "schema").stdout)["$schema"].endswith("2020-12/schema")
    for page in ("hale", "haled", "hale.yaml"):
        r = say("man", page)
        assert (r.returncode, r.stderr) == (0, "")
        assert f'.TH "{page}" ' in r.stdout and " 1970-01-02 " in r.stdout
    assert say("man", "sh").returncode == 2


# ---- top ----

def cooked(modes):
    return modes[3] & (termios.ICANON | termios.ECHO)


def start_top(terminal, h, *args, **kw):
    t = terminal([f"{BIN}/hale", "--run-dir", h.run_dir, "top", "-i", "200ms", *args], **kw)
    t.expect(r"\x1b\[\?1049h")
    t.expect(r"by name.*q quit")
    return t


def test_top_shows_keys_and_gives_the_terminal_back(hale, terminal):
    h = hale(CONFIG)
    t = start_top(terminal, h)
    assert not cooked(t.modes())
    t.expect(r"check\.null")
    t.expect(r"CPU%")
    t.send("s")
    t.expect(r"by cpu")
    t.send("\x1b[B")
    t.send("?")
    t.expect(r"Any key goes back")
    t.send("x")
    t.expect(r"by cpu")
    t.resize(60, 12)
    t.expect(r"by cpu")
    t.send("q")
    t.expect(r"\x1b\[\?25h\x1b\[\?1049l")
    wait_for(lambda: cooked(t.modes()), "the terminal as it was")
    assert t.wait() == 0


def test_top_restarts_the_chosen_process_after_a_question(hale, terminal):
    h = hale(CONFIG)
    before = {p["name"]: p["generation"] for p in h.status()["processes"]}
    t = start_top(terminal, h)
    t.send("r")
    t.expect(r"Restart check\.null\? \(y/n\)")
    t.send("n")
    t.expect(r"q quit")
    t.send("j")
    t.send("r")
    t.expect(r"haled is restarted by whoever started it")
    t.send("k")
    t.send("r")
    t.expect(r"\(y/n\)")
    t.send("y")
    t.expect(r"check\.null ready in [\d.]+ m?s")
    t.send("q")
    assert t.wait() == 0
    after = {p["name"]: p["generation"] for p in h.status()["processes"]}
    assert after == {**before, "check.null": before["check.null"] + 1}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGABRT])
def test_top_gives_the_terminal_back_whatever_ends_it(hale, terminal, signum):
    h = hale(CONFIG)
    t = start_top(terminal, h)
    os.kill(t.pid, signum)
    t.expect(r"\x1b\[\?25h\x1b\[\?1049l")
    wait_for(lambda: cooked(t.modes()), "the terminal as it was")
    status = t.wait()
    if signum == signal.SIGINT:
        assert status == 0
    else:
        assert os.WTERMSIG(status) == signum


def test_top_can_be_stopped_and_continued_in_a_shell(hale, terminal):
    h = hale(CONFIG)
    t = terminal(["bash", "--noprofile", "--norc"])
    t.expect(r"\$ ")
    t.send(f"{BIN}/hale --run-dir {h.run_dir} top -i 200ms\n")
    t.expect(r"by name.*q quit")
    t.send("\x1a")
    t.expect(r"\x1b\[\?1049l")
    t.expect(r"Stopped")
    t.expect(r"\$ ")
    t.send("echo al''ive\n")
    t.expect(r"alive")
    t.send("fg\n")
    t.expect(r"\x1b\[\?1049h")
    t.expect(r"by name.*q quit")
    t.send("q")
    t.expect(r"\x1b\[\?1049l")
    t.expect(r"\$ ")


def test_top_outlives_haled(hale, terminal):
    h = hale(CONFIG)
    t = start_top(terminal, h)
    h.kill()
    t.expect(r"no hale is running")
    h.start()
    t.expect(r"q quit|check\.null")
    t.send("q")
    assert t.wait() == 0


def test_status_is_watched_on_a_screen_of_its_own(hale, terminal):
    h = hale(CONFIG)
    t = terminal([f"{BIN}/hale", "--run-dir", h.run_dir, "status", "-w"], lines=6)
    t.expect(r"\x1b\[\?1049h")
    t.expect(r"healthy")
    t.expect(r"\x1b\[H")  # drawn again, in the same place
    t.send("q")
    t.expect(r"\x1b\[\?1049l")
    wait_for(lambda: cooked(t.modes()), "the terminal as it was")
    assert t.wait() == 0
    t = terminal([f"{BIN}/hale", "--run-dir", h.run_dir, "status", "-w", "nobody"])
    t.expect(r"no component or process is named 'nobody'")
    assert os.waitstatus_to_exitcode(t.wait()) == 3


def test_top_in_a_pipe_is_a_snapshot(hale):
    h = hale(CONFIG)
    r = h.cli("top", "-i", "200ms", check=True)
    assert "\x1b" not in r.stdout
    assert re.search(r"^● ready +haled +\d+ ", r.stdout, re.M), r.stdout
    two = [json.loads(line) for line in
           h.cli("-o", "json", "top", "-n", "2", "-i", "100ms", check=True).stdout.splitlines()]
    assert len(two) == 2
    rows = {p["name"]: p for p in two[1]["processes"]}
    assert rows["recorder"]["fds"] > 3 and rows["recorder"]["cpu_percent"] >= 0
    assert rows["haled"]["rss_bytes"] > 1e6 and rows["haled"]["threads"] >= 1
    assert h.cli("top", "-i", "1ms").returncode == 2
    assert h.cli("top", "--sort", "size").returncode == 2
