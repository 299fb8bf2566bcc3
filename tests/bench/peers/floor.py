# SPDX-License-Identifier: Apache-2.0
"""The floors: not products, but the least that does the job here."""
import benchlib as b


class FloorHttp(b.Peer):
    """own C: epoll, new connection per check, no retries, no output; every check at its own time"""
    name = "floor-epoll-spread"
    min_interval = "any"
    slot, keep = 0, False

    def start_checks(self, urls, interval, hook=None, preset="fast"):
        self.group.popen([b.cc("floor_http.c"), b.P_NGINX, len(urls), interval, self.slot,
                          int(self.keep), b.P_HOOK if hook else 0])


class FloorSlot(FloorHttp):
    """the same, check times rounded to slots of 100 ms"""
    name = "floor-epoll-slot100"
    slot = 100


class FloorSlot1s(FloorHttp):
    """slots of 1 s"""
    name = "floor-epoll-slot1000"
    slot = 1000


class FloorKeepSlot1s(FloorSlot1s):
    """slots of 1 s and connections kept open"""
    name = "floor-epoll-slot1000-keepalive"
    keep = True


class FloorBurst(FloorHttp):
    """the same, all checks of a round at once"""
    name = "floor-epoll-burst"
    slot = 10 ** 6


class FloorKeep(FloorHttp):
    """the same as spread, each check's connection kept open"""
    name = "floor-epoll-keepalive"
    keep = True


class FloorKeepSlot(FloorSlot):
    """slots of 100 ms and connections kept open"""
    name = "floor-epoll-slot100-keepalive"
    keep = True


class FloorSup(b.Peer):
    name = "floor-spawn"            # own C: posix_spawn + waitpid loop

    def start_supervise(self, argv):
        self.group.popen([b.cc("floor_sup.c")] + argv)

    def start_many(self, argvs):
        for argv in argvs:
            self.start_supervise(argv)


class FloorSupSh(FloorSup):
    """the same through a run script, as runit and s6 have it"""
    name = "floor-spawn-sh"
    start_many = b.Peer.start_many  # its one script would be written while it is run

    def start_supervise(self, argv):
        s = self.dir / "run"
        s.write_text("#!/bin/sh\nexec " + " ".join(map(str, argv)) + "\n")
        s.chmod(0o755)
        super().start_supervise([s])


class BashLoop(b.Peer):
    name = "bash-loop"
    package = "bash"

    def start_supervise(self, argv):
        self.group.popen(["bash", "-c", 'while :; do "$@"; done', "loop"] + argv)


PEERS = [FloorHttp, FloorSlot, FloorSlot1s, FloorBurst, FloorKeep, FloorKeepSlot, FloorKeepSlot1s, FloorSup, FloorSupSh, BashLoop]
