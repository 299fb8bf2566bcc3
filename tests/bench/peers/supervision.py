# SPDX-License-Identifier: Apache-2.0
import benchlib as b


class Supervisord(b.Peer):
    supervisor_comm = "supervisord"
    name = "supervisord"
    package = "supervisor"
    port = b.P_PEER + 30

    def available(self):
        return bool(b.which("supervisord"))

    def start_supervise(self, argv):
        self.start_many([argv])

    def start_many(self, argvs):
        c = self.dir / "s.conf"
        c.write_text(f"""[supervisord]
nodaemon=true
logfile={self.dir}/log
pidfile={self.dir}/pid
childlogdir={self.dir}
[inet_http_server]
port={b.ADDR}:{self.port}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
""" + "".join(f"""[program:child{i}]
command={' '.join(map(str, argv))}
autorestart=true
startsecs=0
startretries=1000000
""" for i, argv in enumerate(argvs)))
        self.group.popen([b.which("supervisord"), "-c", c], stderr=open(self.dir / "err", "w"))

    def ready(self):
        return b.http_get(f"http://{b.ADDR}:{self.port}/")[0] == 200

    def status_urls(self):
        return {"/ (status page)": f"http://{b.ADDR}:{self.port}/"}


class Runit(b.Peer):
    name = "runit"
    package = "runit"
    scan = "runsvdir"

    def available(self):
        return bool(b.which(self.scan))

    def start_supervise(self, argv):
        self.start_many([argv])

    def start_many(self, argvs):
        for i, argv in enumerate(argvs):
            s = self.dir / "sv" / f"child{i}"
            s.mkdir(parents=True)
            (s / "run").write_text("#!/bin/sh\nexec " + " ".join(map(str, argv)) + "\n")
            (s / "run").chmod(0o755)
        self.group.popen([b.which(self.scan), self.dir / "sv"], stderr=open(self.dir / "err", "w"))


class S6(Runit):
    name = "s6"
    package = "s6"
    scan = "s6-svscan"


PEERS = [Supervisord, Runit, S6]
