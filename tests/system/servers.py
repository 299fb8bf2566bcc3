# SPDX-License-Identifier: Apache-2.0
"""What the tests of kinds share that are checked against a server program of their own."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from conftest import DEADLINE, free_port, wait_for


def certificate(directory, name="server"):
    """A certificate for localhost and 127.0.0.1 that trusts itself; (certificate, key)."""
    cert, key = f"{directory}/{name}.pem", f"{directory}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "30", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    os.chmod(key, 0o644)  # some servers drop their rights before they read it
    return cert, key


def is_open(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


class Server:
    """A program in a directory of its own; `arguments` are made by who inherits."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hale-sv", dir="/tmp")
        self.port = free_port()
        self.process = None

    def arguments(self):
        raise NotImplementedError

    def is_up(self):
        return is_open(self.port)

    def start(self):
        with open(f"{self.dir}/log", "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.dir)

        def up():
            assert self.process.poll() is None, self.log()
            return self.is_up()
        wait_for(up, f"{type(self).__name__} up")
        return self

    def log(self):
        with open(f"{self.dir}/log") as f:
            return f.read()

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(DEADLINE)
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.dir)
