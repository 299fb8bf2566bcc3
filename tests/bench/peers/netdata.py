# SPDX-License-Identifier: Apache-2.0
import benchlib as b


class Netdata(b.Peer):
    name = "netdata"
    package = "netdata-core"
    user = "netdata"
    min_interval = "1 s (its own collectors)"
    port = b.P_PEER + 40

    def available(self):
        return bool(b.which("netdata"))

    def start_status(self):
        d = self.dir
        for s in ("cache", "lib", "log", "run", "conf"):
            (d / s).mkdir(exist_ok=True)
            import shutil
            shutil.chown(d / s, "netdata", "netdata")
        (d / "conf" / ".opt-out-from-anonymous-statistics").write_text("")
        (d / "netdata.conf").write_text(f"""[global]
 run as user = netdata
[directories]
 config = {d}/conf
 cache = {d}/cache
 lib = {d}/lib
 log = {d}/log
 home = {d}/lib
[web]
 bind to = {b.ADDR}:{self.port}
[cloud]
 enabled = no
[plugins]
 python.d = no
 charts.d = no
 go.d = no
 apps = no
[logs]
 access = none
""")
        self.group.popen([b.which("netdata"), "-D", "-c", d / "netdata.conf", "-P", d / "run/pid"],
                         stderr=open(d / "err", "w"))

    def ready(self):
        return b.http_get(f"http://{b.ADDR}:{self.port}/api/v1/info")[0] == 200

    def status_urls(self):
        h = f"http://{b.ADDR}:{self.port}"
        return {"/api/v1/info": h + "/api/v1/info", "/api/v1/allmetrics?format=prometheus": h + "/api/v1/allmetrics?format=prometheus"}


PEERS = [Netdata]
