# SPDX-License-Identifier: Apache-2.0
import json, random, urllib.request
import benchlib as b

PORT_P, PORT_B, PORT_A = b.P_PEER + 10, b.P_PEER + 11, b.P_PEER + 12


class PromStack(b.Peer):
    """prometheus + blackbox_exporter + alertmanager, as one peer"""
    name = "prometheus-stack"
    package = "prometheus"
    min_interval = "1 ms by its syntax (scrape_interval); 1 s is the shortest in ordinary use"

    def available(self):
        return bool(b.which("prometheus") and b.which("prometheus-blackbox-exporter"))

    def version(self):
        out = []
        for p in ("prometheus", "prometheus-blackbox-exporter", "prometheus-alertmanager"):
            self.package = p
            out.append(f"{p} {super().version()}")
        return ", ".join(out)

    def start_checks(self, urls, interval, hook=None, preset="fast"):
        iv = f"{int(interval * 1000)}ms" if interval != int(interval) else f"{int(interval)}s"
        gw, gi, pend = "0s", "1s", "0s"
        if preset == "default":         # Debian's prometheus.yml and alertmanager.yml
            iv, gw, gi = "15s", "30s", "5m"
        d = self.dir
        (d / "bb.yml").write_text("modules:\n  http_2xx:\n    prober: http\n    timeout: 5s\n    http:\n      preferred_ip_protocol: ip4\n")
        (d / "am.yml").write_text(f"""route: {{group_by: [alertname, instance], group_wait: {gw}, group_interval: {gi}, repeat_interval: 3h, receiver: hook}}
receivers:
- name: hook
  webhook_configs: [{{url: '{hook or 'http://%s:%d/hook' % (b.ADDR, b.P_HOOK)}', send_resolved: true}}]
""")
        (d / "rules.yml").write_text(f"""groups:
- name: g{random.randrange(10**6)}   # the group's phase against the scrapes follows from its name
  rules:
  - {{alert: Down, expr: probe_success == 0, for: {pend}, labels: {{severity: page}}}}
""")
        (d / "prom.yml").write_text(f"""global: {{scrape_interval: {iv}, scrape_timeout: {iv}, evaluation_interval: {iv}}}
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{b.ADDR}:{PORT_A}']}}]}}]}}
rule_files: [{d}/rules.yml]
scrape_configs:
- job_name: bb
  metrics_path: /probe
  params: {{module: [http_2xx]}}
  static_configs: [{{targets: {json.dumps(urls)}}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: __param_target}}
  - {{source_labels: [__param_target], target_label: instance}}
  - {{target_label: __address__, replacement: '{b.ADDR}:{PORT_B}'}}
""")
        e = lambda n: open(d / (n + ".err"), "w")
        self.group.popen([b.which("prometheus-blackbox-exporter"), f"--config.file={d}/bb.yml",
                          f"--web.listen-address={b.ADDR}:{PORT_B}"], stderr=e("bb"))
        self.group.popen([b.which("prometheus-alertmanager"), f"--config.file={d}/am.yml", f"--storage.path={d}/am",
                          f"--web.listen-address={b.ADDR}:{PORT_A}", "--cluster.listen-address=",
                          "--web.get-concurrency=64"], stderr=e("am"))
        self.group.popen([b.which("prometheus"), f"--config.file={d}/prom.yml", f"--storage.tsdb.path={d}/tsdb",
                          f"--web.listen-address={b.ADDR}:{PORT_P}"], stderr=e("prom"))

    def is_alert(self, body):
        return '"status":"firing"' in body

    def ready(self):
        return all(b.http_get(f"http://{b.ADDR}:{p}/-/{w}")[0] == 200
                   for p, w in ((PORT_P, "ready"), (PORT_A, "ready"), (PORT_B, "healthy")))

    def prepare_status(self):       # 100 alerts for /api/v2/alerts to list
        a = [dict(labels=dict(alertname="Down", instance=f"http://{b.ADDR}/c/{i}", severity="page"), annotations=dict(summary="no answer")) for i in range(100)]
        r = urllib.request.Request(f"http://{b.ADDR}:{PORT_A}/api/v2/alerts", json.dumps(a).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(r).read()

    def status_urls(self):
        h = f"http://{b.ADDR}:"
        return {"alertmanager /-/healthy": f"{h}{PORT_A}/-/healthy", "alertmanager /api/v2/alerts": f"{h}{PORT_A}/api/v2/alerts",
                "blackbox /metrics": f"{h}{PORT_B}/metrics", "prometheus /-/healthy": f"{h}{PORT_P}/-/healthy",
                "prometheus /metrics": f"{h}{PORT_P}/metrics",
                "prometheus /api/v1/query?query=probe_success": f"{h}{PORT_P}/api/v1/query?query=probe_success"}


PEERS = [PromStack]
