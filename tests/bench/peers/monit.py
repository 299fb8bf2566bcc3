# SPDX-License-Identifier: Apache-2.0
import benchlib as b
from urllib.parse import urlparse


class Monit(b.Peer):
    name = "monit"
    package = "monit"
    min_interval = "1 s (set daemon 1); each cycle is the sleep plus the time of its checks, made one after another"
    port = b.P_PEER

    def available(self):
        return bool(b.which("monit"))

    def _run(self, body, cycle):
        c = self.dir / "monitrc"
        c.write_text(f"""set daemon {cycle}
set log {self.dir}/log
set pidfile {self.dir}/pid
set idfile {self.dir}/id
set statefile {self.dir}/state
set httpd port {self.port} and use address {b.ADDR} allow {b.ADDR}
{body}""")
        c.chmod(0o600)
        self.group.popen([b.which("monit"), "-I", "-c", c], stderr=open(self.dir / "err", "w"))

    def start_checks(self, urls, interval, hook=None, preset="fast"):
        out = []
        if hook:
            s = self.dir / "hook.sh"
            s.write_text('#!/bin/sh\nexec curl -s -o /dev/null -d "monit $MONIT_SERVICE $MONIT_EVENT" ' + hook + "\n")
            s.chmod(0o755)
        act = f'exec "{self.dir}/hook.sh"' if hook else "alert"
        if preset == "default":
            interval = 120          # as Debian ships it
        for i, u in enumerate(urls):
            p = urlparse(u)
            out.append(f'check host c{i} with address {p.hostname}\n  if failed port {p.port} protocol http '
                       f'request "{p.path}" with timeout 5 seconds then {act}\n')
        self._run("".join(out), interval)

    def is_alert(self, body):
        return "succeeded" not in body

    def ready(self):
        return b.http_get(f"http://{b.ADDR}:{self.port}/_ping")[0] == 200

    def start_supervise(self, argv):
        pf = self.dir / "child.pid"
        s = self.dir / "start.sh"
        s.write_text("#!/bin/sh\n" + " ".join(map(str, argv)) + f" {pf} </dev/null >/dev/null 2>&1 &\n")
        s.chmod(0o755)
        self._run(f'check process child with pidfile {pf}\n  start program = "{s}"\n  stop program = "/bin/true"\n'
                  '  if does not exist then restart\n', 1)

    def status_urls(self):
        u = f"http://{b.ADDR}:{self.port}/_status"
        return {"_ping": f"http://{b.ADDR}:{self.port}/_ping", "_status?format=xml": u + "?format=xml", "_status (text)": u + "?format=text"}


PEERS = [Monit]
