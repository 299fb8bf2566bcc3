# SPDX-License-Identifier: Apache-2.0
import os, shutil
import benchlib as b

PLUGINS = os.environ.get("NAGIOS_PLUGINS", "/usr/lib/nagios/plugins")


class Nagios(b.Peer):
    name = "nagios4"
    package = "nagios4-core"
    user = "nagios"
    min_interval = "1 s (interval_length=1, check_interval 1)"

    def available(self):
        return bool(b.which("nagios4"))

    def start_checks(self, urls, interval, hook=None, preset="fast"):
        from urllib.parse import urlparse
        d = self.dir
        for s in ("spool", "tmp", "archives"):
            (d / s).mkdir()
        ilen = 1
        if preset == "default":         # Debian's generic-service: 10 min, retry 2 min, 3 attempts
            ilen, chk, retry, att = 60, 10, 2, 3
        else:
            chk, retry, att = interval, interval, 1
        notif = 1 if hook else 0
        obj = [f"""
define timeperiod {{
 timeperiod_name 24x7
 alias a
 sunday 00:00-24:00
 monday 00:00-24:00
 tuesday 00:00-24:00
 wednesday 00:00-24:00
 thursday 00:00-24:00
 friday 00:00-24:00
 saturday 00:00-24:00
}}
define command {{
 command_name chk
 command_line {PLUGINS}/check_http -I {b.ADDR} -p $ARG2$ -u $ARG1$ -t 5
}}
define command {{
 command_name notify
 command_line curl -s -o /dev/null -d "nagios $NOTIFICATIONTYPE$ $SERVICEDESC$" {hook or 'none'}
}}
define command {{
 command_name noop
 command_line /bin/true
}}
define contact {{
 contact_name c
 service_notification_period 24x7
 host_notification_period 24x7
 service_notification_options w,u,c,r
 host_notification_options n
 service_notification_commands notify
 host_notification_commands noop
}}
define host {{
 host_name h
 address {b.ADDR}
 max_check_attempts 1
 contacts c
 notifications_enabled 0
 check_period 24x7
 notification_period 24x7
}}
"""]
        for i, u in enumerate(urls):
            obj.append(f"""define service {{
 host_name h
 service_description s{i}
 check_command chk!{urlparse(u).path}!{urlparse(u).port}
 check_interval {chk}
 retry_interval {retry}
 max_check_attempts {att}
 check_period 24x7
 notification_period 24x7
 notification_interval 0
 notification_options w,u,c,r
 notifications_enabled {notif}
 contacts c
}}
""")
        (d / "o.cfg").write_text("".join(obj))
        (d / "n.cfg").write_text(f"""cfg_file={d}/o.cfg
log_file={d}/nagios.log
log_archive_path={d}/archives
object_cache_file={d}/objects.cache
precached_object_file={d}/objects.precache
status_file={d}/status.dat
status_update_interval=10
nagios_user=nagios
nagios_group=nagios
command_file={d}/nagios.cmd
lock_file={d}/nagios.pid
temp_file={d}/nagios.tmp
temp_path={d}/tmp
check_result_path={d}/spool
state_retention_file={d}/retention.dat
query_socket={d}/nagios.qh
use_syslog=0
interval_length={ilen}
service_inter_check_delay_method=s
max_service_check_spread=1
service_interleave_factor=s
enable_notifications=1
execute_service_checks=1
accept_passive_service_checks=0
enable_event_handlers=0
check_for_updates=0
bare_update_check=0
enable_flap_detection=0
enable_environment_macros=0
""")
        for f in d.rglob("*"):
            shutil.chown(f, "nagios", "nagios")
        self.group.popen([b.which("nagios4"), d / "n.cfg"], stdout=open(d / "out", "w"), stderr=open(d / "err", "w"))

    def is_alert(self, body):
        return "PROBLEM" in body

    def ready(self):        # its query handler answers
        import socket
        try:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(1)
            s.connect(str(self.dir / "nagios.qh"))
            s.sendall(b"#core squeuestats\0")
            return bool(s.recv(10))
        except OSError:
            return False


PEERS = [Nagios]
