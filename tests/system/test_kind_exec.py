# SPDX-License-Identifier: Apache-2.0
"""The kind exec with the plugins of monitoring-plugins as Debian has them, and with programs of all sorts."""
import json
import os
import signal
import textwrap

import pytest
from conftest import BlackHole, Rpc, is_alive, wait_for
from test_checks import assert_is

PLUGINS = "/usr/lib/nagios/plugins"


@pytest.fixture
def programs(tmp_path_factory):
    """A folder, and a way to put programs into it."""
    folder = tmp_path_factory.mktemp("p", numbered=True)
    folder.chmod(0o755)

    def put(name, text):
        path = folder / name
        path.write_text(textwrap.dedent(text).lstrip())
        path.chmod(0o755)
        return str(path)
    put.folder = str(folder)
    return put


def execs(timeout="900ms", interval="1s", **components):
    lines = ["components:"]
    for name, options in components.items():
        lines.append(f"  {name}: {{exec: {json.dumps(options)}, interval: {interval},"
                     f" timeout: {timeout}}}")
    return "\n".join(lines) + "\n"


def more(text):
    return text.split("\n", 1)[1]


def test_plugins_run_unchanged(hale, nginx):
    assert os.path.exists(f"{PLUGINS}/check_http"), "monitoring-plugins-basic is a test dependency"
    hole = BlackHole()
    port = str(nginx.port)
    h = hale(execs(
        "5s", "6s",
        load={"command": ["check_load", "-w", "1000,1000,1000", "-c", "2000,2000,2000"]},
        busy={"command": ["check_load", "-w", "0,0,0", "-c", "1000,1000,1000"]},
        disk={"command": [f"{PLUGINS}/check_disk", "-w", "1", "-c", "0", "-p", "/tmp"]},
        disk_bad={"command": ["check_disk", "-w", "100%", "-c", "100%", "-p", "/tmp"]},
        procs={"command": ["check_procs", "-w", "1:", "-c", "1:"]},
        http={"command": ["check_http", "-I", "127.0.0.1", "-p", port, "-u", "/ok.json", "-e",
                          "200", "-w", "3", "-c", "4"]},
        http_bad={"command": ["check_http", "-I", "127.0.0.1", "-p", port, "-u", "/nowhere.json",
                              "-e", "200"]},
        tcp={"command": ["check_tcp", "-H", "127.0.0.1", "-p", port]},
        refused={"command": ["check_tcp", "-H", "127.0.0.1", "-p", "1"]},
        old={"command": ["check_file_age", "-w", "10", "-c", "20", "-f", "/etc/hostname"]},
        odd={"command": ["check_dummy", "3", "who knows"]},
        usage={"command": ["check_tcp", "--no-such-option"]}) +
        more(execs("1500ms", "2s", hung={"command": [
            "check_tcp", "-H", "127.0.0.1", "-p", str(hole.port), "-e", "hello", "-t", "20"]})))
    c = assert_is(h, "load", "healthy", "ok", "LOAD OK")
    assert c["metrics"]["load1"] >= 0
    assert c["details"]["thresholds"]["load1"]["warning"] == "1000.000"
    c = assert_is(h, "busy", "degraded", "exec_warning", "LOAD WARNING")
    assert "warning" in [t.get("crossed") for t in c["details"]["thresholds"].values()]
    c = assert_is(h, "disk", "healthy", "ok", "DISK OK")
    assert any(m.endswith("_bytes") and v > 0 for m, v in c["metrics"].items()), c["metrics"]
    assert_is(h, "disk_bad", "critical", "exec_critical", "DISK CRITICAL")
    c = assert_is(h, "procs", "healthy", "ok", "PROCS OK")
    assert c["metrics"]["procs"] >= 1
    c = assert_is(h, "http", "healthy", "ok", "HTTP OK")
    assert 0 <= c["metrics"]["time_seconds"] < 3 and c["metrics"]["size_bytes"] > 0
    assert c["details"]["thresholds"]["time_seconds"]["critical"] == "4.000000"
    assert_is(h, "http_bad", "critical", "exec_critical", "HTTP CRITICAL")
    c = assert_is(h, "tcp", "healthy", "ok", "TCP OK")
    assert "time_seconds" in c["metrics"]
    assert_is(h, "refused", "critical", "exec_critical", "Connection refused")
    assert_is(h, "old", "critical", "exec_critical", "FILE_AGE CRITICAL")
    assert_is(h, "odd", "unknown", "exec_unknown", "UNKNOWN: who knows")
    assert_is(h, "usage", "unknown", "exec_unknown", "no-such-option")
    assert_is(h, "hung", "down", "timeout")
    saw = Rpc(h, "check.exec").call("check.run", component="load")["saw"]
    assert "; warning below 0 or above 1000; critical below 0 or above 2000" in saw["perfdata"][0]
    assert saw["stdout"].startswith("LOAD OK")
    hole.close()


def test_services_by_systemctl(hale, programs):
    """S3-19: a stub of systemctl that says active, inactive, or nothing for ten seconds."""
    programs("systemctl", """
        #!/bin/sh
        case "$3" in
        good) echo active ;;
        bad) echo inactive; exit 3 ;;
        slow) sleep 10 ;;
        esac
        """)
    path = {"PATH": f"{programs.folder}:{os.environ['PATH']}"}
    units = {n: {"command": ["systemctl", "--user", "is-active", n], "format": "text",
                 "environment": path} for n in ("good", "bad", "slow")}
    h = hale(execs(**units))
    assert_is(h, "good", "healthy", "ok", "active")
    assert_is(h, "bad", "critical", "exec_critical", "inactive")
    assert_is(h, "slow", "down", "timeout")
    assert_is(h, "good", "healthy", "ok", "active")


def test_own_checks_of_any_kind(hale, programs):
    """S3-26, S3-27, S2-14: only by YAML; one that raises does not touch the others."""
    queue = programs("queue", """
        #!/usr/bin/python3
        import json
        print(json.dumps({"status": "warn", "message": "queue is long",
                          "metrics": {"depth": 120}, "details": {"oldest": "job 7"}}))
        """)
    raises = programs("raises", """
        #!/usr/bin/python3
        raise RuntimeError("no exchange")
        """)
    killed = programs("killed", """
        #!/bin/sh
        kill -SEGV $$
        """)
    secret = programs("secret", """
        #!/bin/sh
        test "$TOKEN" = geheim && echo "I know, $(env | cut -d= -f1 | sort | tr '\\n' ' ')"
        """)
    h = hale(execs(queue={"command": queue, "format": "json"},
                   raises={"command": raises, "format": "text"},
                   python={"command": raises, "format": "json"},
                   killed={"command": killed}, gone={"command": programs.folder + "/gone"},
                   coded={"command": ["sh", "-c", "echo soft; exit 42"], "codes": {"42": "warn"}},
                   knows={"command": secret, "environment": {"TOKEN": "geheim"}}))
    c = assert_is(h, "queue", "degraded", "exec_warning", "queue is long")
    assert c["metrics"]["depth"] == 120 and c["details"]["oldest"] == "job 7"
    assert_is(h, "raises", "critical", "exec_critical", "RuntimeError: no exchange")
    assert_is(h, "python", "critical", "exec_critical", "RuntimeError: no exchange")
    assert_is(h, "killed", "unknown", "exec_signal", "killed by signal 11, SIGSEGV")
    assert_is(h, "gone", "unknown", "exec_failed", "No such file or directory")
    assert_is(h, "coded", "degraded", "exec_warning", "soft")
    c = assert_is(h, "knows", "healthy", "ok", "I know, HALE_CHECK LANG PATH PWD TOKEN")
    # Secrets are in nobody's sight (S1-15 and the like).
    shown = h.cli("config", "show", h.config_path).stdout
    assert "geheim" not in shown and "geheim" not in json.dumps(h.status())


def test_nothing_stays_behind(hale, programs):
    """Children, grandchildren, daemons in a session of their own: of one that ends, and of one
    whose time is up."""
    pids = programs.folder + "/pids"
    script = programs("spawns", f"""
        #!/bin/sh
        sleep 600 & echo $! >> {pids}
        (setsid sh -c 'echo $$ >> {pids}; sleep 601 & echo $! >> {pids}; wait' >/dev/null 2>&1 &)
        while [ "$(wc -l < {pids})" -lt $1 ]; do sleep 0.01; done
        [ "$2" = hang ] && sleep 602
        echo OK
        """)
    h = hale(execs(ends={"command": [script, "3"]}, interval="60s", timeout="20s"))
    assert_is(h, "ends", "healthy", "ok", "OK")
    with open(pids) as f:
        left = [int(p) for p in f]
    assert len(left) == 3
    wait_for(lambda: not any(is_alive(p) for p in left), "all are gone")
    os.unlink(pids)
    h2 = hale(execs(hangs={"command": [script, "3", "hang"]}, interval="60s", timeout="2s"))
    assert_is(h2, "hangs", "down", "timeout")
    with open(pids) as f:
        left = [int(p) for p in f]
    wait_for(lambda: not any(is_alive(p) for p in left), "all are gone")
    # Nor zombies of our own.
    pid = h.process_of("check.exec")["pid"]
    wait_for(lambda: not open(f"/proc/{pid}/task/{pid}/children").read().split(), "no child left")


def test_nothing_stays_behind_of_many_that_end_at_once(hale, programs):
    """Each puts a daemon into the background and ends before that has become one."""
    pids = programs.folder + "/pids"
    script = programs("leaves", f"""
        #!/bin/sh
        (setsid sh -c 'echo $$ >> {pids}; exec sleep 600' >/dev/null 2>&1 &)
        echo OK
        """)
    h = hale(execs("900ms", "1s", **{f"c{i}": {"command": [script]} for i in range(80)}))
    rpc = Rpc(h, "check.exec")
    wait_for(lambda: rpc.call("runner.status")["runs"] >= 240, "three rounds")
    with open(pids) as f:
        left = [int(p) for p in f]
    wait_for(lambda: not any(is_alive(p) for p in left), "all are gone")


def test_a_killed_checker_takes_its_plugin_along(hale, programs):
    pids = programs.folder + "/pid"
    slow = programs("slow", f"""
        #!/bin/sh
        echo $$ > {pids}.new; mv {pids}.new {pids}
        exec sleep 600
        """)
    h = hale(execs(slow={"command": slow}, interval="60s", timeout="50s"))
    h.allow("check.exec")
    plugin = wait_for(lambda: int(open(pids).read()), "plugin runs")
    os.kill(h.process_of("check.exec")["pid"], signal.SIGKILL)
    wait_for(lambda: not is_alive(plugin), "the plugin died with it")


@pytest.mark.skipif(os.getuid() != 0, reason="only root runs programs as others")
def test_as_another_user(hale, programs):
    h = hale(execs(who={"command": ["id", "-un"], "format": "text", "user": "nobody"},
                   keeps={"command": ["cat", "/etc/shadow"], "format": "text", "user": "nobody"}))
    assert_is(h, "who", "healthy", "ok", "nobody")
    assert_is(h, "keeps", "critical", "exec_critical", "Permission denied")


def test_wrong_options_are_explained(hale):
    h = hale(execs(a={"command": ["x"], "codes": {"999": "fail"}},
                   b={"command": ["x"], "user": "nosuchuser"},
                   c={"command": ["x"], "directory": "tmp"}), start=False)
    r = h.cli("config", "check", h.config_path)
    assert r.returncode != 0
    for text in ("expected an exit code", "there is no user nosuchuser", "absolute path"):
        assert text in r.stdout + r.stderr, r.stdout + r.stderr
