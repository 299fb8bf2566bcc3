# SPDX-License-Identifier: Apache-2.0
"""What the tests of etc/presets share."""
import contextlib
import os
import re
import socket
import subprocess
import threading

from conftest import wait_for

PRESETS = os.path.join(os.path.dirname(__file__), "../../etc/presets")


def preset(h, name, is_quick=True, change=lambda text: text, **env):
    """Starts h with that preset; is_quick: each second, with short timeouts."""
    with open(f"{PRESETS}/{name}.yaml") as f:
        text = change(f.read())
    if is_quick:
        text = re.sub(r"^( +)interval: .*$", r"\1interval: 1s", text, flags=re.M)
        text = re.sub(r"^( +)timeout: .*$", r"\1timeout: 900ms", text, flags=re.M)
    h.write(text)
    h.env.update({k: str(v) for k, v in env.items()})
    return h.start()


def told(h, name, status, message=None, reason=None):
    def reached():
        c = h.component(name)
        return c if c["status"] == status and (message is None or c["message"] == message) and (
            reason is None or c["reason"] == reason) else None
    try:
        return wait_for(reached, f"{name}: {status} '{message}'")
    except AssertionError as e:
        raise AssertionError(f"{e}; it is {h.component(name)}") from None


class Delay:
    """A way to a server that takes so long to be gone the first time."""

    def __init__(self, port, seconds):
        self.to, self.seconds = port, seconds
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.socket.accept()[0],),
                                 daemon=True).start()

    def serve(self, a):
        with contextlib.suppress(OSError), a:
            threading.Event().wait(self.seconds)
            with socket.create_connection(("127.0.0.1", self.to)) as b:
                other = threading.Thread(target=self.copy, args=(b, a), daemon=True)
                other.start()
                self.copy(a, b)
                other.join()

    @staticmethod
    def copy(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@contextlib.contextmanager
def empty_database(postgres):
    """Gives what runs SQL in it; what that made is dropped afterwards."""
    def drop():
        if postgres.process is None:
            postgres.start()
        postgres.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    drop()
    yield postgres.sql
    drop()


class Machine:
    """A /proc that reads as it is told, and a file system of its own that can be filled."""

    def __init__(self, folder):
        self.proc = f"{folder}/proc"
        self.disk = f"{folder}/disk"
        self.cpu, self.busy, self.total = 10, 0.0, 0.0
        os.makedirs(f"{self.proc}/self/net")
        os.makedirs(f"{self.proc}/sys/fs")
        os.makedirs(self.disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "hale-test", self.disk],
                       check=True)
        self.put("loadavg", "0.87 0.55 0.39 1/100 1\n")
        self.put("uptime", "273906.5 1\n")
        self.put("sys/fs/file-nr", "1700 0 100000\n")
        self.put("self/net/dev", "eth0: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n")
        self.memory(38.75)
        self.stopped = threading.Event()
        self.turn()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def put(self, name, text):
        with open(f"{self.proc}/{name}.new", "w") as f:
            f.write(text)
        os.rename(f"{self.proc}/{name}.new", f"{self.proc}/{name}")

    def memory(self, used_percent):
        total = 16 * 1024 * 1024
        self.put("meminfo", f"MemTotal: {total} kB\nMemAvailable: "
                            f"{round(total * (1 - used_percent / 100))} kB\n"
                            "SwapTotal: 0 kB\nSwapFree: 0 kB\n")

    def fill(self, percent):
        """Of the disk."""
        size = os.statvfs(self.disk)
        with open(f"{self.disk}/filler", "wb") as f:
            f.write(b"x" * int(size.f_blocks * size.f_frsize * percent / 100))

    def turn(self):
        """A moment of its processor goes by."""
        self.busy += self.cpu
        self.total += 100
        fields = f"{self.busy:.0f} 0 0 {self.total - self.busy:.0f} 0 0 0 0"
        self.put("stat", f"cpu  {fields}\ncpu0 {fields}\nprocs_running 1\nprocs_blocked 0\n")

    def run(self):
        while not self.stopped.wait(0.03):
            self.turn()

    def into(self, text):
        """The preset's machine is this one."""
        assert text.count("system: {}") == 1
        return text.replace("system: {}", f"system: {{proc: '{self.proc}', cgroup: "
                                          f"'{self.proc}/none', disks: ['{self.disk}']}}")

    def close(self):
        self.stopped.set()
        self.thread.join()
        subprocess.run(["umount", self.disk], check=True)


def bands_of(h, machine, name, soft, hard):
    """The component follows processor, memory and disk over its two limits and back."""
    told(h, name, "healthy")
    for resource in (lambda n: setattr(machine, "cpu", n), machine.memory, machine.fill):
        resource(soft + 2)
        c = told(h, name, "degraded")
        assert "percent" in c["message"]
        resource(hard + 3)
        told(h, name, "critical")
        resource(10)
        told(h, name, "healthy")
