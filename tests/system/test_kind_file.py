# SPDX-License-Identifier: Apache-2.0
"""Files of every sort, in an installation that confines itself as it does in production."""
import hashlib
import os
import socket
import time

import pytest
from conftest import wait_for
from test_confinement import ABI


@pytest.fixture
def files(hale):
    """A hale with components over one folder, written as name: options; and that folder."""
    class Files:
        def __init__(self):
            self.h = hale("", start=False)
            self.root = f"{self.h.dir}/files"
            os.mkdir(self.root)

        def start(self, **components):
            lines = ["components:"]
            for name, options in components.items():
                lines.append(f"  {name}: {{file: {{{options}}}, interval: 250ms, timeout: 240ms}}")
            self.h.write("\n".join(lines).replace("@R@", self.root) + "\n")
            self.h.start()

        def put(self, name, text="x", age=0, mode=0o644):
            path = f"{self.root}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path + ".new", "w") as f:
                f.write(text)
            os.chmod(path + ".new", mode)
            os.utime(path + ".new", (time.time() - age,) * 2)
            os.rename(path + ".new", path)

        def expect(self, name, status, reason, message):
            def seen():
                c = self.h.component(name)
                return c if (c["status"], c["reason"]) == (status, reason) and \
                    message in c["message"] else None
            return wait_for(seen, f"{name}: {status} {reason} {message}; "
                                  f"now {self.h.component(name)}")
    return Files()


def test_one_file(files):
    files.start(it='path: "@R@/dump.gz", max_age: 1h, min_size: 1KB, max_size: 1MB, mode: "0640",'
                   f' owner: "{os.getuid()}"')
    files.expect("it", "critical", "file_missing", "dump.gz is not there")
    files.put("dump.gz", "y" * 2000, age=60, mode=0o640)
    c = files.expect("it", "healthy", "ok", "2000 bytes, written 1m")
    assert c["metrics"]["size_bytes"] == 2000 and 60 <= c["metrics"]["age_seconds"] < 120
    assert c["details"]["mode"] == "0640" and c["details"]["type"] == "file"
    wait_for(lambda: files.h.component("it")["metrics"].get("growth_bytes") == 0, "no growth")
    files.put("dump.gz", "y" * 2000, age=7200, mode=0o640)
    files.expect("it", "critical", "stale", "Written 2h ago, expected at most 1h")
    files.put("dump.gz", "y" * 100, mode=0o640)
    files.expect("it", "critical", "file_mismatch", "Has 100 bytes, expected at least 1KB")
    files.put("dump.gz", "y" * 2000000, mode=0o640)
    files.expect("it", "critical", "file_mismatch", "expected at most 1MB")
    files.put("dump.gz", "y" * 2000, mode=0o600)
    files.expect("it", "critical", "file_mismatch", "Has mode 0600, expected 0640")


def test_content(files):
    text = "started\nall fine\n"
    files.put("log", text)
    files.put("key", text)
    files.start(
        has='path: "@R@/log", contains: "all fine"',
        lacks='path: "@R@/log", lacks: "/^(panic|FATAL)/", read_from: end, read: 1KB',
        sum=f'path: "@R@/key", sha256: {hashlib.sha256(text.encode()).hexdigest()}')
    for name in ("has", "lacks", "sum"):
        files.expect(name, "healthy", "ok", "written")
    files.put("log", "FATAL\n" + "filler\n" * 1000)
    files.expect("has", "critical", "file_mismatch", "Does not hold 'all fine'")
    files.expect("lacks", "healthy", "ok", "")  # long ago
    files.put("log", "filler\n" * 1000 + "FATAL: disk\n")
    files.expect("lacks", "critical", "file_mismatch", "Holds '/^(panic|FATAL)/'")
    files.put("key", text + "!")
    files.expect("sum", "critical", "file_mismatch", "Has checksum ")


def test_a_queue_is_counted(files):
    os.mkdir(f"{files.root}/queue")
    files.start(queue='path: "@R@/queue", match: "*.msg", max_oldest_age: 10m, max_files: 3',
                deep='path: "@R@/queue", recursive: true, max_total_size: 100')
    c = files.expect("queue", "healthy", "ok", "No files")
    assert c["metrics"]["files"] == 0
    files.put("queue/a.msg", "12345", age=30)
    files.put("queue/b.msg", "123", age=300)
    files.put("queue/other", "1", age=9999)
    c = files.expect("queue", "healthy", "ok", "2 files, 8 bytes, newest written 30s ago")
    assert c["metrics"]["total_bytes"] == 8
    assert c["metrics"]["oldest_age_seconds"] >= 300 > c["metrics"]["newest_age_seconds"]
    assert c["details"]["oldest"].endswith("/queue/b.msg")
    files.put("queue/b.msg", "123", age=700)
    files.expect("queue", "critical", "stale", "Oldest of 2 written 11m")
    files.put("queue/b.msg")
    files.put("queue/c.msg")
    files.put("queue/d.msg")
    files.expect("queue", "critical", "file_mismatch", "4 files, expected at most 3")
    files.expect("deep", "healthy", "ok", "5 files")
    files.put("queue/sub/folder/big", "z" * 200)
    os.symlink(f"{files.root}/queue", f"{files.root}/queue/loop")
    files.expect("deep", "critical", "file_mismatch", "in all, expected at most 100")
    assert files.h.component("deep")["metrics"]["files"] == 6


def test_patterns_find_the_newest(files):
    files.put("a/db-1.gz", "old", age=90000)
    files.put("b/db-2.gz", "newer", age=100)
    files.put("b/.db-3.gz", "hidden")
    files.start(backup='path: "@R@/*/db-[0-9].gz", max_age: 25h, min_files: 2',
                none='path: "@R@/*/*.tar"')
    c = files.expect("backup", "healthy", "ok", "2 files, 8 bytes, newest written 1m40s ago")
    assert c["details"]["newest"].endswith("/b/db-2.gz") and c["metrics"]["size_bytes"] == 5
    files.expect("none", "critical", "file_missing", "is not there")
    os.unlink(f"{files.root}/a/db-1.gz")
    files.expect("backup", "critical", "file_mismatch", "1 files, expected at least 2")
    shown = files.h.cli("check", "backup").stdout
    assert "/b/db-2.gz" in shown


def test_absence_and_types(files):
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{files.root}/sock")
    os.mkdir(f"{files.root}/dir")
    files.start(flag='path: "@R@/maintenance", expect: absent',
                locks='path: "@R@/dir/*.lock", expect: absent',
                sock='path: "@R@/sock", type: socket',
                dir='path: "@R@/dir", type: directory, mode: "0755"')
    for name in ("flag", "locks", "sock"):
        files.expect(name, "healthy", "ok", "")
    os.chmod(f"{files.root}/dir", 0o755)
    files.expect("dir", "healthy", "ok", "")
    files.put("maintenance")
    files.expect("flag", "critical", "file_mismatch", "maintenance is there, expected none")
    files.put("dir/x.lock")
    files.expect("locks", "critical", "file_mismatch", "x.lock is there, expected none")
    os.unlink(f"{files.root}/sock")
    files.put("sock")
    files.expect("sock", "critical", "file_mismatch", "Is a file, expected a socket")
    server.close()


@pytest.mark.skipif(ABI == 0, reason="without Landlock any file is readable")
def test_what_no_path_names_cannot_be_read(files):
    """The checker is held to its own paths: a link leads it nowhere."""
    secret = f"{files.h.dir}/secret"
    with open(secret, "w") as f:
        f.write("top secret")
    files.put("link")
    files.start(link='path: "@R@/link", contains: secret')
    files.expect("link", "critical", "file_mismatch", "Does not hold")
    os.unlink(f"{files.root}/link")
    os.symlink(secret, f"{files.root}/link")
    c = wait_for(lambda: next((c for c in [files.h.component("link")] if c["reason"] in
                               ("file_unreadable", "ok")), None), "looked through the link")
    assert c["reason"] == "file_unreadable" and "Permission denied" in c["message"], c


def test_a_bad_configuration_is_told(hale):
    h = hale("""
components:
  a: {file: {path: relative}}
  b: {file: {path: /x, sha256: abc}}
  c: {file: {path: /x, mode: "9"}}
  d: {file: {path: /x, contains: "/(/"}}
  e: {file: {path: /x, min_files: 3, max_files: 2}}
  f: {file: {path: /x, min_size: 3, max_size: 2}}
""", start=False)
    r = h.cli("config", "check", h.config_path)
    text = r.stdout + r.stderr
    assert r.returncode != 0
    for what in ("absolute path", "64 hex digits", "octal number", "max_files", "max_size"):
        assert what in text, text
    assert text.count("error") and "/d/" in text or "contains" in text
