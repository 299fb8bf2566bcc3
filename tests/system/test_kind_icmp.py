# SPDX-License-Identifier: Apache-2.0
"""The kind icmp, in a network of its own that answers, or does not, as it is told."""
import ctypes
import fcntl
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys

import pytest

from conftest import wait_for

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own takes root")


# Looked up before there is a child: another thread of ours may hold the loader's lock, or that of
# the name service, when it is forked, and nobody would ever give it back there.
LIBC = ctypes.CDLL(None, use_errno=True)
NOBODY = pwd.getpwnam("nobody")


def own_network():
    """In the child: nothing but a loopback interface."""
    if LIBC.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def as_nobody():
    own_network()
    os.setgroups([])
    os.setgid(NOBODY.pw_gid)
    os.setuid(NOBODY.pw_uid)


def sysctl(h, name, value):
    """Of the network that haled is in."""
    subprocess.run(["nsenter", "-t", str(h.process.pid), "-n", "sh", "-c",
                    f"echo {value} > /proc/sys/net/{name}"], check=True)


def icmp(name, options, extra=""):
    return f"  {name}: {{icmp: {{{options}}}, interval: 1s, timeout: 900ms{extra}}}\n"


def told(h, name, status, reason, message=""):
    c = wait_for(lambda: (lambda c: c if c["reason"] == reason else None)(h.component(name)),
                 f"{name} {reason}")
    assert c["status"] == status and message in c["message"], c
    return c


def test_hosts_that_answer_and_that_do_not(hale):
    assert shutil.which("nsenter")
    h = hale("components:\n" +
             icmp("me", "host: 127.0.0.1, spacing: 10ms") +
             icmp("me6", "host: '::1', count: 10, spacing: 5ms, size: 1472") +
             icmp("name", "host: localhost, family: ipv4, count: 1") +
             icmp("crowded", "host: 127.0.0.1, count: 100, spacing: 1s") +
             icmp("away", "host: 192.0.2.1") +
             icmp("nameless", "host: nowhere.invalid"), start=False)
    h.user = {"preexec_fn": own_network}
    h.start()
    c = told(h, "me", "healthy", "ok", "3 of 3 came back")
    m = c["metrics"]
    assert m["packets_sent"] == m["packets_received"] == 3 and m["packet_loss_percent"] == 0
    assert 0 < m["rtt_min_ms"] <= m["rtt_ms"] <= m["rtt_max_ms"] and m["jitter_ms"] >= 0
    assert c["details"]["ip"] == "127.0.0.1"
    c = told(h, "me6", "healthy", "ok", "10 of 10 came back")
    assert c["details"]["ip"] == "::1"
    told(h, "name", "healthy", "ok", "1 of 1 came back")
    told(h, "crowded", "healthy", "ok", "100 of 100 came back")
    told(h, "away", "down", "unreachable", "Network is unreachable")
    told(h, "nameless", "down", "dns_failed", "nowhere.invalid: ")
    sysctl(h, "ipv4/icmp_echo_ignore_all", 1)
    c = told(h, "me", "down", "timeout_read", "No reply to 3 requests")
    assert c["metrics"]["packet_loss_percent"] == 100 and c["took_ms"] < 900
    told(h, "me6", "healthy", "ok")
    sysctl(h, "ipv4/icmp_echo_ignore_all", 0)
    told(h, "me", "healthy", "ok")


# Answers each echo request to 127.0.0.9 as a router that knows no way: destination unreachable, host.
ROUTER = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
print("up", flush=True)
while True:
    p = s.recv(2000)
    if p[20] != 8 or p[16:20] != bytes([127, 0, 0, 9]):
        continue
    body = struct.pack(">BBHI", 3, 1, 0, 0) + p[:28]
    n = sum(struct.unpack(f">{len(body) // 2}H", body))
    n = (n & 0xffff) + (n >> 16)
    n = ~((n & 0xffff) + (n >> 16)) & 0xffff
    s.sendto(body[:2] + struct.pack(">H", n) + body[4:], ("127.0.0.1", 0))
"""


def test_what_a_router_says_is_told(hale):
    h = hale("components:\n" + icmp("behind", "host: 127.0.0.9, spacing: 10ms"), start=False)
    h.user = {"preexec_fn": own_network}
    h.start()
    told(h, "behind", "healthy", "ok")
    sysctl(h, "ipv4/icmp_echo_ignore_all", 1)
    told(h, "behind", "down", "timeout_read", "No reply to 3 requests")
    with subprocess.Popen(["nsenter", "-t", str(h.process.pid), "-n", sys.executable, "-c",
                           ROUTER], stdout=subprocess.PIPE) as router:
        assert router.stdout.readline() == b"up\n"
        told(h, "behind", "down", "unreachable", "No route to host")
        # And while it says so, an answer is still an answer.
        sysctl(h, "ipv4/icmp_echo_ignore_all", 0)
        told(h, "behind", "healthy", "ok", "3 of 3 came back")
        router.kill()


def test_without_rights_it_says_what_to_do_or_pings_as_users_may(hale):
    h = hale("components:\n" + icmp("me", "host: 127.0.0.1, spacing: 10ms"), start=False)
    shutil.chown(h.dir, "nobody")
    h.user = {"preexec_fn": as_nobody}
    h.start()
    sysctl(h, "ipv4/ping_group_range", "1 0")
    c = told(h, "me", "unknown", "config_error", "set net.ipv4.ping_group_range")
    assert c["outcome"] == "error"
    sysctl(h, "ipv4/ping_group_range", "0 2147483647")
    told(h, "me", "healthy", "ok", "3 of 3 came back")
