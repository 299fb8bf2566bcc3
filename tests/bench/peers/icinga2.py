# SPDX-License-Identifier: Apache-2.0
import os, shutil, subprocess
import benchlib as b

PLUGINS = os.environ.get("NAGIOS_PLUGINS", "/usr/lib/nagios/plugins")
PORT = b.P_PEER + 20


class Icinga2(b.Peer):
    name = "icinga2"
    package = "icinga2-bin"
    user = "nagios"
    min_interval = "under 1 s by its syntax (check_interval = 0.5s); scheduling is good to about 1 s"

    def available(self):
        return bool(b.which("icinga2"))

    def _pki(self, d):
        c = d / "data" / "certs"
        c.mkdir(parents=True)
        r = lambda *a: subprocess.run(["openssl"] + list(a), check=True, capture_output=True)
        r("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(c / "ca.key"), "-out", str(c / "ca.crt"), "-subj", "/CN=benchca", "-days", "30")
        r("req", "-newkey", "rsa:2048", "-nodes", "-keyout", str(c / "bench.key"), "-out", str(c / "bench.csr"), "-subj", "/CN=bench")
        r("x509", "-req", "-in", str(c / "bench.csr"), "-CA", str(c / "ca.crt"), "-CAkey", str(c / "ca.key"), "-CAcreateserial", "-out", str(c / "bench.crt"), "-days", "30")

    def start_checks(self, urls, interval, hook=None, preset="fast", api=True):
        from urllib.parse import urlparse
        d = self.dir
        for s in ("data", "cache", "log", "run", "run/icinga2", "spool", "log/crash"):
            (d / s).mkdir(exist_ok=True)
        if api:
            self._pki(d)
        chk, retry, att = f"{interval}s", f"{interval}s", 1
        if preset == "default":         # Debian's generic-service: 1 min, retry 30 s, 5 attempts
            chk, retry, att = "1m", "30s", 5
        conf = [f"""
include <itl>
include <plugins>
const PluginDir = "{PLUGINS}"
const NodeName = "bench"
const ZoneName = "bench"
object Endpoint "bench" {{}}
object Zone "bench" {{ endpoints = [ "bench" ] }}
object CheckerComponent "checker" {{}}
object NotificationComponent "notification" {{}}
object FileLogger "l" {{ severity = "warning"; path = "{d}/log/icinga2.log" }}
object User "u" {{}}
object NotificationCommand "hook" {{
  command = [ "curl", "-s", "-o", "/dev/null", "-d", "icinga2 $notification.type$ $service.name$", "{hook or 'none'}" ]
}}
object Host "h" {{ check_command = "dummy"; address = "{b.ADDR}"; check_interval = 1h }}
"""]
        if api:
            conf.append(f'object ApiListener "api" {{ bind_host = "{b.ADDR}"; bind_port = {PORT} }}\n'
                        'object ApiUser "bench" { password = "bench"; permissions = [ "*" ] }\n')
        for i, u in enumerate(urls):
            p = urlparse(u)
            conf.append(f"""object Service "s{i}" {{ host_name = "h"; check_command = "http"; check_interval = {chk}; retry_interval = {retry}; max_check_attempts = {att}
 enable_flapping = false; vars.http_address = "{p.hostname}"; vars.http_port = {p.port}; vars.http_uri = "{p.path}"; vars.http_timeout = 5 }}
""")
        if hook:
            conf.append('apply Notification "n" to Service { command = "hook"; users = [ "u" ]; interval = 0; types = [ Problem, Recovery ]; assign where true }\n')
        (d / "icinga2.conf").write_text("".join(conf))
        for f in d.rglob("*"):
            shutil.chown(f, "nagios", "nagios")
        defs = []
        for k, v in (("DataDir", "data"), ("CacheDir", "cache"), ("LogDir", "log"), ("InitRunDir", "run"), ("SpoolDir", "spool")):
            defs += ["-D", f"Configuration.{k}={d}/{v}"]
        for k, v in (("PidPath", "run/pid"), ("ObjectsPath", "cache/objects"), ("VarsPath", "cache/vars"), ("StatePath", "data/state"), ("ModAttrPath", "data/modattr")):
            defs += ["-D", f"Configuration.{k}={d}/{v}"]
        self.group.popen([b.which("icinga2"), "daemon", "-c", d / "icinga2.conf"] + defs,
                         stdout=open(d / "out", "w"), stderr=open(d / "err", "w"))

    def is_alert(self, body):
        return "PROBLEM" in body

    status_headers = {"Authorization": "Basic YmVuY2g6YmVuY2g=", "Accept": "application/json"}

    def ready(self):
        return b.http_get(f"https://{b.ADDR}:{PORT}/v1", headers=self.status_headers)[0] == 200

    def status_urls(self):
        return {"/v1/status (TLS, basic auth)": f"https://{b.ADDR}:{PORT}/v1/status"}


PEERS = [Icinga2]
