# SPDX-License-Identifier: Apache-2.0
"""What the tests of etc/presets share."""
import contextlib
import os
import re
import socket
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
