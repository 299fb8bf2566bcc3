# SPDX-License-Identifier: Apache-2.0
"""The kind dns against dnsmasq, and against name servers that do wrong."""
import contextlib
import shutil
import socket
import socketserver
import struct
import subprocess
import threading

import pytest

from conftest import DEADLINE, free_port, wait_for


def ask(port, name):
    """Whether something answers there: a question for A by hand."""
    q = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0)
    q += b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        s.sendto(q, ("127.0.0.1", port))
        return s.recv(4096)


class Dnsmasq:
    def __init__(self):
        assert shutil.which("dnsmasq"), "dnsmasq-base is a test dependency"
        self.port = free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen([
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
            "--no-hosts", f"--port={self.port}", "--listen-address=127.0.0.1",
            "--bind-interfaces", "--log-facility=/dev/null", "--user=root", "--pid-file=",
            "--local=/hale.test/", "--local=/in-addr.arpa/", "--local-ttl=77",
            "--host-record=www.hale.test,192.0.2.1,2001:db8::1",
            "--host-record=www.hale.test,192.0.2.2",
            "--cname=alias.hale.test,www.hale.test",
            "--mx-host=hale.test,mail.hale.test,10",
            "--txt-record=hale.test,v=spf1 -all",
            "--srv-host=_sip._tcp.hale.test,sip.hale.test,5060,1,2",
            "--ptr-record=1.2.0.192.in-addr.arpa,www.hale.test",
            "--dns-rr=hale.test,257,000569737375656c657473656e63727970742e6f7267"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: ask(self.port, "www.hale.test"), "dnsmasq answers")

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


@pytest.fixture(scope="module")
def dnsmasq():
    d = Dnsmasq()
    yield d
    d.stop()


class Odd(socketserver.ThreadingUDPServer):
    """A name server whose answers `answer(question bytes)` makes; None: it says nothing."""
    daemon_threads = True

    def __init__(self, answer):
        self.answer, self.asked = answer, 0
        super().__init__(("127.0.0.1", 0), None)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def finish_request(self, request, client_address):
        data, s = request
        self.asked += 1
        for reply in [r for r in [self.answer(data, self.asked)] if r is not None]:
            s.sendto(reply, client_address)


@pytest.fixture
def odd():
    made = []

    def make(answer):
        made.append(Odd(answer))
        return made[-1].port
    yield make
    for s in made:
        s.shutdown()
        s.server_close()


def reply(question, rcode=0, records=b"", n=0, flags=0x8180):
    """The question again as an answer (its EDNS record, at the end, left out)."""
    end = question.index(b"\0", 12) + 5
    return question[:2] + struct.pack(">5H", flags | rcode, 1, n, 0, 0) + question[12:end] + records


def a_record(ip):
    return b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 30, 4) + socket.inet_aton(ip)


def dns(name, port, options, extra=""):
    return (f"  {name}: {{dns: {{servers: ['127.0.0.1:{port}'], {options}}}, interval: 1s, "
            f"timeout: 800ms{extra}}}\n")


def told(h, name, status, reason, message=""):
    c = wait_for(lambda: (lambda c: c if c["reason"] == reason else None)(h.component(name)),
                 f"{name} {reason}")
    assert c["status"] == status and message in c["message"], c
    return c


def test_records_of_every_type(hale, dnsmasq):
    p = dnsmasq.port
    h = hale("components:\n" +
             dns("a", p, "name: www.hale.test, expect: [192.0.2.2, 192.0.2.1], exact: true") +
             dns("tcp", p, "name: www.hale.test, protocol: tcp") +
             dns("aaaa", p, "name: WWW.hale.test., type: AAAA, expect: ['2001:db8::1']") +
             dns("alias", p, "name: alias.hale.test, expect: 192.0.2.1") +
             dns("cname", p, "name: alias.hale.test, type: CNAME, expect: WWW.hale.test.") +
             dns("mx", p, "name: hale.test, type: MX, expect: [10 mail.hale.test]") +
             dns("txt", p, "name: hale.test, type: TXT, regex: '^v=spf1 .*-all$'") +
             dns("srv", p, "name: _sip._tcp.hale.test, type: SRV, expect: 1 2 5060 sip.hale.test") +
             dns("ptr", p, "name: 192.0.2.1, type: PTR, expect: www.hale.test") +
             dns("caa", p, "name: hale.test, type: CAA, expect: 0 issue letsencrypt.org") +
             dns("none", p, "name: nowhere.hale.test") +
             dns("gone", p, "name: nowhere.hale.test, rcode: NXDOMAIN") +
             dns("empty", p, "name: www.hale.test, type: MX") +
             dns("other", p, "name: www.hale.test, expect: 192.0.2.9") +
             dns("more", p, "name: www.hale.test, expect: 192.0.2.1, exact: true") +
             dns("words", p, "name: hale.test, type: TXT, regex: 'v=DKIM'"))
    told(h, "a", "healthy", "ok")
    assert sorted(h.component("a")["details"]["answers"]) == ["192.0.2.1", "192.0.2.2"]
    m = h.component("a")["metrics"]
    assert m["records"] == 2 and m["ttl_seconds"] == 77 and m["query_ms"] > 0 and m["retries"] == 0
    for name in ("tcp", "aaaa", "alias", "cname", "mx", "txt", "srv", "ptr", "caa"):
        told(h, name, "healthy", "ok")
    told(h, "none", "critical", "dns_rcode", "NXDOMAIN, expected NOERROR")
    told(h, "gone", "healthy", "ok", "NXDOMAIN, as expected")
    told(h, "empty", "critical", "dns_answer", "no MX record")
    told(h, "other", "critical", "dns_answer", "192.0.2.9 is not among: 192.0.2.")
    told(h, "more", "critical", "dns_answer", "192.0.2.2 was not expected")
    told(h, "words", "critical", "dns_answer", "nothing matches /v=DKIM/: v=spf1 -all")
    seen = h.json("check", "alias")["saw"]["answer"]
    assert {"type": "CNAME", "ttl": 77, "data": "www.hale.test"} in seen
    dnsmasq.stop()
    told(h, "a", "down", "conn_refused")
    dnsmasq.start()
    told(h, "a", "healthy", "ok")


def test_servers_that_do_wrong(hale, odd, dnsmasq):
    def short(q, n):
        return reply(q, records=a_record("192.0.2.7")[:-2], n=1)

    ports = {
        "silent": odd(lambda q, n: None),
        "lossy": odd(lambda q, n: None if n % 2 else reply(q, records=a_record("192.0.2.7"), n=1)),
        "servfail": odd(lambda q, n: reply(q, rcode=2)),
        "refused": odd(lambda q, n: reply(q, rcode=5)),
        "short": odd(short),
        "garbage": odd(lambda q, n: b"\xff" * 40),
        "stranger": odd(lambda q, n: bytes([q[0] ^ 1]) + reply(q)[1:]),
        "cached": odd(lambda q, n: reply(q, records=a_record("192.0.2.7"), n=1)),
        "endless": odd(lambda q, n: reply(q, records=a_record("192.0.2.7") * 2000, n=2000)),
        "many": odd(lambda q, n: reply(q, records=a_record("192.0.2.7") * 60, n=60)),
        "loop": odd(lambda q, n: reply(q, records=b"\xc0" + bytes([len(reply(q))]), n=1)),
    }
    h = hale("components:\n" + "".join(
        dns(name, port, "name: www.hale.test" + (", authoritative: true" if name == "cached"
                                                 else ""))
        for name, port in ports.items()) +
        f"  second: {{dns: {{servers: ['127.0.0.1:{ports['silent']}', "
        f"'127.0.0.1:{dnsmasq.port}'], name: www.hale.test}}, interval: 1s, timeout: 900ms}}\n")
    told(h, "silent", "down", "timeout_dns", "No name server answered (asked 3 times)")
    c = told(h, "lossy", "healthy", "ok", "192.0.2.7")
    wait_for(lambda: h.component("lossy")["metrics"]["retries"] >= 1, "it was asked again")
    told(h, "servfail", "critical", "dns_rcode", "SERVFAIL, expected NOERROR")
    told(h, "refused", "critical", "dns_rcode", "REFUSED")
    told(h, "short", "critical", "protocol_error", "cut off")
    for name in ("garbage", "stranger"):  # not taken for the answer
        told(h, name, "down", "timeout_dns")
    told(h, "cached", "critical", "dns_answer", "not the zone's own")
    told(h, "loop", "critical", "protocol_error", "cut off")
    c = told(h, "many", "healthy", "ok", "and 55 more")
    assert c["metrics"]["records"] == 60
    # More than a datagram may hold is dropped by c-ares with the server that sent it.
    told(h, "endless", "down", "conn_refused", "Could not contact DNS servers")
    told(h, "second", "healthy", "ok")


def test_mistakes_in_options_are_told(hale):
    h = hale("components:\n" + dns("a", 53, "name: x, expect: [], exact: true, regex: '('") +
             "  b: {dns: {name: x, servers: [ns.example.org, '192.0.2.1:99999', '[::1]:53']}}\n",
             start=False)
    r = h.cli("config", "check", h.config_path)
    out = r.stdout + r.stderr
    assert r.returncode != 0
    assert "'ns.example.org' is no IP address" in out and "'192.0.2.1:99999' is no" in out
    assert "needs 'expect'" in out and "Unmatched (" in out and "::1" not in out.replace("'[::1]:53'", "")


def test_no_socket_is_left_open(hale, odd):
    """Cancelled in the middle, again and again: the process holds as many files as before."""
    import os
    h = hale("components:\n" + dns("silent", odd(lambda q, n: None), "name: www.hale.test"))
    h.wait_status("silent", "down")
    pid = h.process_of("check.dns")["pid"]
    before = None
    for _ in range(3):
        with contextlib.suppress(StopIteration):
            last = h.component("silent")["last_check"]
            wait_for(lambda: h.component("silent")["last_check"] != last, "one more")
        n = len(os.listdir(f"/proc/{pid}/fd"))
        before = before or n
        assert n <= before + 3
