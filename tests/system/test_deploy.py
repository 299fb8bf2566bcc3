# SPDX-License-Identifier: Apache-2.0
"""The units, scripts and examples in etc/: run where they can be run, judged where not."""
import contextlib
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import BIN, DEADLINE, wait_for

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
NULL = """
components:
  a: {null: {file: '@DIR@/a'}, interval: 200ms}
"""
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="starts services, so root")
# What docs/deploy.md says `systemd-analyze security` gives the unit, times ten; lower is better.
EXPOSURE_MAX = 18


def template(name):
    """A file of etc/ as the build fills it in."""
    with open(f"{ROOT}/etc/{name}") as f:
        text = f.read()
    values = {"CMAKE_INSTALL_FULL_BINDIR": BIN, "CMAKE_INSTALL_FULL_SYSCONFDIR": "/etc"}
    return re.sub(r"@(\w+)@", lambda m: values[m[1]], text)


def place(directory, family):
    """The folder etc/FAMILY/hale as it would be installed."""
    target = f"{directory}/hale"
    shutil.copytree(f"{ROOT}/etc/{family}/hale", target)
    for path in glob.glob(f"{target}/**/*.in", recursive=True):
        with open(path[:-3], "w") as f:
            f.write(template(os.path.relpath(path, directory).replace("hale", f"{family}/hale", 1)))
            os.fchmod(f.fileno(), 0o755)
        os.unlink(path)
    return target


def run(*command, check=True, **kw):
    r = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, **kw)
    if check:
        assert r.returncode == 0, f"{command}: {r.returncode}\n{r.stdout}{r.stderr}"
    return r


@pytest.fixture
def scratch():
    # Readable for the user a service runs as.
    directory = tempfile.mkdtemp(prefix="hale-d", dir="/tmp")
    os.chmod(directory, 0o755)
    yield directory
    shutil.rmtree(directory)


# ---- systemd ----

def test_systemd_finds_nothing_wrong_with_the_unit(scratch):
    with open(f"{scratch}/hale.service", "w") as f:
        f.write(template("systemd/hale.service.in"))
    r = run("systemd-analyze", "verify", "--man=no", f"{scratch}/hale.service")
    assert r.stdout + r.stderr == ""


def test_the_units_exposure_does_not_grow(scratch):
    with open(f"{scratch}/hale.service", "w") as f:
        f.write(template("systemd/hale.service.in"))
    r = run("systemd-analyze", "security", "--offline=true", "--no-pager",
            f"--threshold={EXPOSURE_MAX}", f"{scratch}/hale.service")
    score = re.search(r"Overall exposure level for hale.service: ([\d.]+)", r.stdout)[1]
    with open(f"{ROOT}/docs/deploy.md") as f:
        assert f"exposure level {score}" in f.read(), f"docs/deploy.md should say {score}"


@needs_root
def test_sysusers_and_tmpfiles_make_what_the_unit_needs(scratch):
    for directory in ("etc/hale", "run", "var/lib", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d"):
        os.makedirs(f"{scratch}/{directory}")
    shutil.copy(f"{ROOT}/etc/sysusers.d/hale.conf", f"{scratch}/usr/lib/sysusers.d")
    with open(f"{scratch}/usr/lib/tmpfiles.d/hale.conf", "w") as f:
        f.write(template("tmpfiles.d/hale.conf.in"))
    with open(f"{scratch}/etc/hale/hale.yaml", "w") as f:
        f.write("{}\n")
    run("systemd-sysusers", f"--root={scratch}")
    with open(f"{scratch}/etc/passwd") as f:
        entry = next(line for line in f if line.startswith("hale:")).strip().split(":")
    uid, gid = int(entry[2]), int(entry[3])
    assert 0 < uid < 1000 and entry[5:] == ["/var/lib/hale", "/usr/sbin/nologin"]
    run("systemd-tmpfiles", "--create", f"--root={scratch}")
    for path, mode, owner in (("run/hale", 0o750, uid), ("var/lib/hale", 0o750, uid),
                              ("etc/hale", 0o750, 0), ("etc/hale/hale.yaml", 0o640, 0)):
        st = os.stat(f"{scratch}/{path}")
        assert (st.st_mode & 0o7777, st.st_uid, st.st_gid) == (mode, owner, gid), path


# ---- container ----

def test_the_container_has_every_library():
    """Those needed directly; they bring their own."""
    needed = set()
    for program in glob.glob(f"{BIN}/hale*"):
        for line in run("objdump", "-p", program).stdout.splitlines():
            if "NEEDED" in line and not re.search(r"lib(c|m|asan|ubsan|tsan|gcc_s)\.so", line):
                needed.add(line.split()[1])
    packages = set()
    for library in needed:
        path = next(p for p in glob.glob(f"/lib/*-linux-gnu/{library}"))
        r = run("dpkg", "-S", path, check=False)
        if r.returncode != 0:
            r = run("dpkg", "-S", os.path.realpath(path))
        packages.add(r.stdout.split(":")[0])
    with open(f"{ROOT}/etc/container/Dockerfile") as f:
        listed = set(re.findall(r"\blib[a-z0-9.-]+", f.read().split("RUN apt-get")[1].split("&&")[1]))
    assert packages <= listed


# ---- s6 and runit ----

class Supervised:
    """A service folder under its supervisor, logging into a file of its own."""

    def __init__(self, h, supervisor, family):
        self.h = h
        self.folder = place(h.dir, family)
        shutil.rmtree(f"{self.folder}/log")
        h.env = {"HALE_USER": "root", "HALE_CONFIG": h.config_path, "HALE_RUN_DIR": h.run_dir,
                 "HALE_STATE_DIR": h.state_dir}
        with open(h.log_path, "ab") as log:
            self.process = subprocess.Popen([supervisor, self.folder], stdout=log, stderr=log,
                                            env={**os.environ, **h.env}, start_new_session=True)

    def close(self, *command):
        with contextlib.suppress(Exception):
            run(*command, check=False)
        self.process.terminate()
        self.process.wait(DEADLINE)


def write_bad(h):
    with open(h.config_path, "w") as f:
        f.write("components: {a: {nul: {}}}\n")


def prepared(hale):
    h = hale(NULL, start=False)
    with open(f"{h.dir}/a", "w") as f:
        f.write("pass")
    return h


@needs_root
def test_s6_hears_when_it_is_ready_and_starts_it_again(hale):
    h = prepared(hale)
    s = Supervised(h, "s6-supervise", "s6")
    try:
        wait_for(lambda: os.path.exists(f"{s.folder}/supervise/status"), "s6-supervise is up")
        run("s6-svwait", "-U", "-t", str(DEADLINE * 1000), s.folder)
        processes = h.status()["processes"]
        assert all(p["state"] == "ready" for p in processes)
        first = h.status()["pid"]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: h.status()["pid"] != first, "started again")
        run("s6-svwait", "-U", "-t", str(DEADLINE * 1000), s.folder)
        h.wait_status("a", "healthy")
        # What a file is wrong with does not mend itself: finish says so.
        write_bad(h)
        run("s6-svc", "-wD", "-T", str(DEADLINE * 1000), "-r", s.folder)
        # While finish runs it is down as well, but wanted up.
        wait_for(lambda: re.match(r"down \(exitcode 78\)(?!.*want up)",
                                  run("s6-svstat", s.folder).stdout), "left down")
        h.write(NULL)
        run("s6-svc", "-wU", "-T", str(DEADLINE * 1000), "-u", s.folder)
        run("s6-svc", "-wD", "-T", str(DEADLINE * 1000), "-d", s.folder)
        assert "exitcode 0" in run("s6-svstat", s.folder).stdout
    finally:
        s.close("s6-svc", "-dx", s.folder)


@needs_root
def test_runit_waits_until_it_answers_and_starts_it_again(hale):
    h = prepared(hale)
    s = Supervised(h, "runsv", "runit")
    try:
        wait_for(lambda: os.path.exists(f"{s.folder}/supervise/ok"), "runsv is up")
        # For an environment of its own: sv runs ./check.
        run("sv", "-w", str(DEADLINE), "start", s.folder, env={**os.environ, **h.env})
        first = h.status()["pid"]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: h.status()["pid"] != first, "started again")
        h.wait_status("a", "healthy")
        write_bad(h)
        run("sv", "t", s.folder)
        # Between two tries it is down as well, but wanted up; finish has not spoken then.
        wait_for(lambda: re.match(r"down(?!.*want up)",
                                  run("sv", "status", s.folder, check=False).stdout), "left down")
        h.write(NULL)
        run("sv", "-w", str(DEADLINE), "start", s.folder, env={**os.environ, **h.env})
        h.note_pids()
        run("sv", "-w", str(DEADLINE), "stop", s.folder, env={**os.environ, **h.env})
    finally:
        s.close("sv", "exit", s.folder)


# ---- OpenRC ----

OPENRC = """
set -eu
mount -t tmpfs tmpfs /run
cd /run && mkdir -p lock openrc && cd openrc
mkdir started starting stopping exclusive daemons options inactive wasinactive failed hotplugged \
  scheduled tmp
touch softlevel
"$1" start
echo started
read line
set +e
"$1" reload; echo "reload $?"
echo 'nonsense: 1' >> "$2"
"$1" reload; echo "reload $?"
"$1" restart; echo "restart $?"
read line
"$1" stop; echo "stop $?"
"""


@needs_root
def test_openrc_starts_reloads_and_stops_it(hale):
    """In namespaces of its own: nothing of the host's OpenRC, if it has one, is touched."""
    h = prepared(hale)
    os.chmod(h.dir, 0o755)
    for directory in ("init.d", "conf.d"):
        os.mkdir(f"{h.dir}/{directory}")
    with open(f"{h.dir}/init.d/hale", "w") as f:
        f.write(re.sub(r"(?m)^error_logger=.*", f"error_log={h.log_path}",
                       template("openrc/hale.in")))
        os.fchmod(f.fileno(), 0o755)
    user = pwd.getpwnam("nobody")
    with open(h.log_path, "w") as f:
        os.fchown(f.fileno(), user.pw_uid, user.pw_gid)
    with open(f"{h.dir}/conf.d/hale", "w") as f:
        f.write(f"hale_config={h.config_path}\nhale_run_dir={h.run_dir}\n"
                f"hale_state_dir={h.state_dir}\nhale_user=nobody\nhale_group=nogroup\n")
    process = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c",
         OPENRC, "sh", f"{h.dir}/init.d/hale", h.config_path], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "started\n":
                break
        assert process.poll() is None, "".join(lines)
        wait_for(lambda: all(p["state"] == "ready" for p in h.status()["processes"]), "ready")
        first = h.status()["pid"]
        process.stdin.write("\n")
        process.stdin.flush()
        for line in process.stdout:
            lines.append(line)
            if line.startswith("restart "):
                break
        codes = re.findall(r"(?m)^(?:reload|restart) (\d+)$", "".join(lines))
        assert codes == ["0", "1", "1"], "".join(lines)
        # A bad configuration stops nothing.
        assert h.status()["pid"] == first
        h.allow("reload refused")
        outside = [int(p) for p in filter(str.isdigit, os.listdir("/proc"))
                   if is_haled_of(p, h)]
        assert len(outside) == 1
        h.write(NULL)
        os.kill(outside[0], signal.SIGKILL)
        wait_for(lambda: h.status()["pid"] != first, "started again")
        process.stdin.write("\n")
        process.stdin.flush()
        assert "stop 0" in process.stdout.read()
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait(DEADLINE)
        process.stdin.close()
        process.stdout.close()


def is_haled_of(pid, h):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/cmdline") as f:
            words = f.read().split("\0")
        return words[0] == f"{BIN}/haled" and h.config_path in words
    return False
