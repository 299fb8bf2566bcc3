# SPDX-License-Identifier: Apache-2.0
"""A small TWS API server: what IB Gateway says at login, in the manners a gateway has."""
import contextlib
import socket
import struct
import threading
import time

VERSION = 176


def message(*fields):
    body = b"".join(str(f).encode() + b"\0" for f in fields)
    return struct.pack(">I", len(body)) + body


class Gateway:
    """manner: ok, silent (accepts, says nothing), waiting (version, no login), lost (1100), taken
    (client id in use), old (no version), garbage, hangs up ("closed")."""

    def __init__(self, manner="ok", offset_s=0, accounts="DU111,DU222", farms_broken=False):
        self.manner, self.offset_s, self.accounts = manner, offset_s, accounts
        self.farms_broken = farms_broken
        self.logins = []          # client ids
        self.ranges = []          # versions asked for
        self.open = set()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.open.add(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(OSError, struct.error, EOFError), peer:
            self.talk(peer, peer.makefile("rb"))
        self.open.discard(peer)

    @staticmethod
    def read(f):
        size = struct.unpack(">I", f.read(4))[0]
        return f.read(size)

    def talk(self, peer, f):
        if f.read(4) != b"API\0":
            return
        self.ranges.append(self.read(f).decode())
        manner = self.manner
        if manner == "silent":
            f.read(1)
        if manner in ("silent", "closed"):
            return
        if manner == "garbage":
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        peer.sendall(message("twelve" if manner == "old" else VERSION, "20261122 10:00:00 EST"))
        start = self.read(f).split(b"\0")
        assert start[:2] == [b"71", b"2"], start
        self.logins.append(int(start[2]))
        if manner == "taken":
            peer.sendall(message(4, 2, -1, 326, "Unable to connect as the client id is already in "
                                                "use. Retry with a unique client id.", ""))
            return
        if manner == "waiting":
            f.read(1)
            return
        peer.sendall(message(15, 1, self.accounts) + message(9, 1, 1))
        peer.sendall(message(4, 2, -1, 2104, "Market data farm connection is OK:usfarm", ""))
        if self.farms_broken:
            peer.sendall(message(4, 2, -1, 2105, "HMDS data farm connection is broken:ushmds", ""))
        if manner == "lost":
            peer.sendall(message(4, 2, -1, 1100, "Connectivity between IB and Trader Workstation "
                                                 "has been lost.", ""))
        while True:
            if self.read(f).split(b"\0")[:2] == [b"49", b"1"]:
                peer.sendall(message(49, 1, int(time.time() + self.offset_s)))

    def close(self):
        # accept() in another thread ends only by a shutdown.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for peer in list(self.open):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self.thread.join()
