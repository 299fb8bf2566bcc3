# SPDX-License-Identifier: Apache-2.0
"""A subscriber of the bus that shares no code with hale: the protocol as docs/bus.md tells it.

It speaks nng's wire format itself (an 8-byte greeting, then type, length and message), notices gaps
by the numbers and has them replayed, and keeps every change of status it ever saw by its key.
"""
import json
import socket
import struct
import threading

from conftest import Rpc

SUBSCRIBER, PUBLISHER = b"\0SP\0\0\x21\0\0", b"\0SP\0\0\x20\0\0"
# A haled that was killed is started again within this, or the run has failed anyway.
RECONNECT_S = 0.05
READ_TIMEOUT_S = 3.0  # haled says something at least every second, if only "sync"


class BusReader(threading.Thread):
    """transitions: {(epoch, seq): (component, from, to)}; `lost` counts what replay did not have."""

    def __init__(self, hale):
        super().__init__(daemon=True)
        self.hale = hale
        self.transitions = {}
        self.conflicts = []
        self.epoch, self.seq = None, 0
        self.gaps = self.lost = self.frames = 0
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                self.listen()
            except (OSError, ValueError, KeyError, struct.error):
                pass  # haled was killed, or is stopped just now
            self.ended.wait(RECONNECT_S)

    def listen(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(READ_TIMEOUT_S)
            s.connect(f"{self.hale.run_dir}/bus.ipc")
            s.sendall(SUBSCRIBER)
            with s.makefile("rb") as stream:
                if stream.read(8) != PUBLISHER:
                    return
                self.catch_up()
                while not self.ended.is_set():
                    kind, length = struct.unpack(">BQ", stream.read(9))
                    self.take(stream.read(length).decode())

    def catch_up(self):
        """What came after the last line seen, this start of haled or an earlier one."""
        more = True
        while more:
            answer = Rpc(self.hale, "haled").call("bus.replay", epoch=self.epoch, after=self.seq)
            if "snapshot" in answer:
                self.lost += 1
                self.epoch, self.seq = answer["epoch"], answer["head"]
                return
            for frame in answer["frames"]:
                self.note(*self.parse(frame))
            more = answer["more"]

    @staticmethod
    def parse(text):
        header, _, rest = text.partition("\n")
        topic, epoch, first, count = header.split(" ")
        lines = rest.splitlines()
        if len(lines) != int(count):
            raise ValueError(f"frame of {len(lines)} lines says {count}")
        return topic, epoch, int(first), lines

    def take(self, text):
        topic, epoch, first, lines = self.parse(text)
        self.frames += 1
        if topic == "sync":
            if self.epoch == epoch and first > self.seq:
                self.gaps += 1
                self.catch_up()
            return
        if epoch != self.epoch or first > self.seq + 1:
            self.gaps += 1
            self.catch_up()
        self.note(topic, epoch, first, lines)

    def note(self, topic, epoch, first, lines):
        if epoch == self.epoch and first + len(lines) - 1 <= self.seq:
            return
        self.epoch, self.seq = epoch, first + len(lines) - 1
        if topic != "health":
            return
        for i, text in enumerate(lines):
            line = json.loads(text)
            if not line.get("transition"):
                continue
            key = (epoch, first + i)
            value = (line["component"], line["previous"], line["state"]["status"])
            if self.transitions.setdefault(key, value) != value:
                self.conflicts.append((key, value, self.transitions[key]))

    def close(self):
        self.ended.set()
        self.join(READ_TIMEOUT_S + 1)
