# SPDX-License-Identifier: Apache-2.0
"""House rules that a tool can check: layers, format, sizes, and documentation that agrees."""
import ast
import json
import os
import re
import subprocess

import pytest

ROOT = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
BIN = os.environ.get("HALE_BIN", os.path.join(ROOT, "build/release/bin"))

# What each place may include of common/. An arrow that is not here turns back.
LAYERS = {
    "base": set(),
    "model": {"base"},
    "conf": {"base", "model"},
    "bus": {"base", "model"},
    "http": {"base", "model"},
    "expr": {"base"},
    "db": {"base", "model"},
    "store": {"base", "model", "conf", "db"},
    "proc": {"base"},
    "deploy": {"base", "model", "conf", "proc"},
    "service": {"base", "model", "conf", "bus", "http"},
}
PROGRAMS = ["supervisor", "checkers", "recorder", "notifier", "reconciler", "web", "cli"]
# One wrapper per foreign library: where its headers may appear.
FOREIGN = {
    r"nng/": {"common/bus"},
    r"yaml\.h": {"common/conf"},
    r"curl/|http_parser\.h": {"common/http"},
    r"jq\.h|jv\.h": {"common/expr"},
    r"sqlite3\.h|libpq-fe\.h": {"common/db"},
    r"microhttpd\.h": {"web"},
    r"wslay/": {"web", "checkers"},
    r"openssl/": {"checkers", "common/http"},
    r"hiredis/|ares\.h": {"checkers"},
    r"systemd/": {"common/proc", "checkers"},
    r"seccomp\.h": {"common/service"},
}
with open(os.path.join(os.path.dirname(__file__), "pure.txt")) as names:
    PURE = [n.strip() for n in names if n.strip() and not n.startswith("#")]
IMPURE = re.compile(r"#include [<\"](uv\.h|nng/|curl/|sqlite3\.h|libpq-fe\.h|fcntl\.h|sys/socket\.h)"
                    r"|\b(clock_(mono|wall)_\w+|clock_now_text|clock_gettime|open|fopen)\(")


def files(*suffixes, under=None):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout.split("\n")
    return [f for f in out if f.endswith(suffixes) and (under is None or f.startswith(under)) and
            os.path.exists(os.path.join(ROOT, f))]


def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def includes(path, ours=False):
    """What a file includes; with ours, only what it includes in quotes."""
    return re.findall(r'^#include "([^"]+)"' if ours else r'^#include ["<]([^">]+)[">]',
                      read(path), re.M)


def place_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "common" else parts[0]


def test_layers_point_one_way():
    wrong = []
    for path in files(".c", ".h", under="common/"):
        layer = path.split("/")[1]
        for inc in includes(path):
            target = inc.split("/")[0]
            # The contract of a child is defines alone, and both sides keep it.
            if inc == "service/child_proto.h" and layer == "deploy":
                continue
            if target in LAYERS and target != layer and target not in LAYERS[layer]:
                wrong.append(f"{path}: {layer} may not include {inc}")
    assert not wrong, "\n".join(wrong)


def test_no_program_includes_another_program():
    own = {p: {os.path.basename(f) for f in files(".h", under=p + "/")} for p in PROGRAMS}
    wrong = []
    for program in PROGRAMS:
        others = set().union(*(own[p] for p in PROGRAMS if p != program)) - own[program]
        for path in files(".c", ".h", under=program + "/"):
            for inc in includes(path, ours=True):
                if "/" not in inc and inc in others:
                    wrong.append(f"{path}: {inc} belongs to another program")
                if inc.split("/")[0] in PROGRAMS or inc.startswith(".."):
                    wrong.append(f"{path}: {inc}")
    assert not wrong, "\n".join(wrong)


def test_one_wrapper_per_foreign_library():
    wrong = []
    for path in files(".c", ".h"):
        if path.startswith("tests/"):
            continue
        for inc in includes(path):
            for pattern, places in FOREIGN.items():
                if re.match(pattern, inc) and place_of(path) not in places:
                    wrong.append(f"{path}: {inc} is only for {', '.join(places)}")
    assert not wrong, "\n".join(wrong)


def test_pure_modules_have_no_io():
    import fnmatch
    wrong = []
    for path in files(".c", ".h"):
        if not any(fnmatch.fnmatch(path, p) for p in PURE):
            continue
        for n, line in enumerate(read(path).splitlines(), 1):
            if IMPURE.search(line) and not line.lstrip().startswith(("*", "/*")):
                wrong.append(f"{path}:{n}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def test_haled_links_only_what_it_should():
    needed = subprocess.run(["readelf", "-d", f"{BIN}/haled"], capture_output=True, text=True,
                            check=True).stdout
    libraries = set(re.findall(r"\[lib(\w+)", needed))
    assert libraries <= {"uv", "nng", "yaml", "jansson", "systemd", "c", "m", "asan", "ubsan", "tsan",
                         "gcc_s"}, libraries


def test_no_program_is_linked_with_what_few_need():
    """It would cost every start: common/db/pq.h, common/http/http_curl.h, checkers/openssl.h."""
    names = [n for n in os.listdir(BIN) if n.startswith("hale")]
    assert {"hale", "hale-recorder", "hale-notifier", "hale-check-sql"} <= set(names)
    linked = [n for n in names if re.search(r"\[lib(pq|curl|ssl|crypto)\.", subprocess.run(
        ["readelf", "-d", f"{BIN}/{n}"], capture_output=True, text=True, check=True).stdout)]
    assert not linked, linked


def test_format():
    sources = files(".c", ".h")
    r = subprocess.run(["clang-format", "--dry-run", "-Werror", *sources], cwd=ROOT,
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[:4000]


def test_every_source_says_its_licence():
    for path in files(".c", ".h", ".py", ".cmake", "CMakeLists.txt"):
        assert "SPDX-License-Identifier: Apache-2.0" in read(path)[:300], path


def test_headers_state_a_contract():
    for path in files(".h"):
        if path.startswith("tests/"):
            continue
        name = os.path.basename(path)[:-2]
        assert re.search(rf"/\* {re.escape(name)} - ", read(path)[:400]), \
            f"{path}: begins with no '{name} - what it is'"


def test_sizes():
    """Files stop at 800 lines, functions at 80; what is over is split, not excused."""
    wrong = []
    for path in files(".c", ".h"):
        lines = read(path).splitlines()
        if len(lines) > 800:
            wrong.append(f"{path}: {len(lines)} lines")
        if path.startswith("tests/"):
            continue
        start = None
        for n, line in enumerate(lines, 1):
            if line == "{":
                start = n
            elif line == "}" and start:
                if n - start > 80:
                    wrong.append(f"{path}:{start}: a function of {n - start} lines")
                start = None
    assert not wrong, "\n".join(wrong)


def test_haled_is_read_in_one_sitting():
    lines = sum(len(read(path).splitlines()) for path in files(".c", ".h", under="supervisor/"))
    assert lines < 4000, f"supervisor/ has {lines} lines; mechanisms belong to common/"


def test_nothing_names_this_machine_or_unfinished_work():
    wrong = []
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    for path in files(".c", ".h", ".py", ".md", ".yaml", ".txt", ".cmake", ".js", ".html", ".css"):
        for n, line in enumerate(read(path).splitlines(), 1):
            if marks.search(line) or "/wo" "rk/" in line:
                wrong.append(f"{path}:{n}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def calls_sleep(path):
    """What a test's own code calls; what it has others run stands in a text."""
    if path.endswith(".c"):
        return re.search(r"(?<![\w.])sleep\(", re.sub(r'"(\\.|[^"\\])*"', '""', read(path)))
    calls = [n.func for n in ast.walk(ast.parse(read(path))) if isinstance(n, ast.Call)]
    return any("sleep" in (getattr(f, "attr", ""), getattr(f, "id", "")) for f in calls)


def test_tests_do_not_sleep():
    """A child of a test may sleep, and a loop that waits for a fact may pause; a test may not."""
    wrong = [path for path in files(".py", ".c", under="tests/")
             # What a benchmark measures is time, and it passes or fails nothing.
             if not path.startswith("tests/bench/") and calls_sleep(path)]
    assert not wrong, wrong


# ---- documentation that agrees ----

def manifests():
    folder = os.path.join(BIN, "../share/hale/manifests")
    return {f: json.load(open(os.path.join(folder, f))) for f in sorted(os.listdir(folder))}


def test_the_page_of_kinds_is_what_the_programs_say():
    r = subprocess.run([f"{ROOT}/scripts/document-checks", "--check", os.path.join(BIN, "..")],
                       capture_output=True, text=True)
    assert r.returncode == 0, f"run scripts/document-checks:\n{r.stdout}{r.stderr}"


def test_every_kind_says_its_reasons_and_gives_an_example():
    codes = {}
    for m in manifests().values():
        if m.get("role") != "check":
            continue
        for member in ("summary", "options", "metrics", "reasons", "example"):
            assert m.get(member), f"{m['program']} --describe: {member} is missing"
        for name, o in option_docs(m["options"]):
            assert o.get("help"), f"{m['kind']}: option {name} says nothing of itself"
        for r in m["reasons"]:
            assert codes.setdefault(r["code"], r["outcome"]) == r["outcome"]


def test_every_kinds_example_is_a_good_configuration(tmp_path):
    import textwrap
    wrong = []
    for m in manifests().values():
        if m.get("role") != "check":
            continue
        (tmp_path / "hale.yaml").write_text(
            "components:\n" + textwrap.indent(m["example"], "  "))
        r = subprocess.run([f"{BIN}/hale", "config", "check", str(tmp_path / "hale.yaml")],
                           capture_output=True, text=True, env={**os.environ, **{
                               name: "x" for name in re.findall(r"\$\{(\w+)\}", m["example"])}})
        if r.returncode != 0:
            wrong.append(f"{m['kind']}: {r.stdout}{r.stderr}")
    assert not wrong, "\n".join(wrong)


def option_docs(options):
    for name, o in options.items():
        yield name, o
        yield from option_docs(o.get("options", {}))


def option_names(options):
    return [name for name, _ in option_docs(options)]


@pytest.mark.parametrize("program,doc", [("hale-web", "docs/api.md"),
                                         ("hale-recorder", "docs/store.md"),
                                         ("hale-notifier", "docs/alerting.md"),
                                         ("hale-reconciler", "docs/reconcile.md")])
def test_every_section_option_is_documented(program, doc):
    text = read(doc)
    for section in manifests()[program + ".json"]["sections"].values():
        missing = [n for n in option_names(section["options"]) if not re.search(rf"\b{n}\b", text)]
        assert not missing, f"{doc} does not mention {missing}"


def paths(options, prefix=""):
    """(restart.when, its manifest) of each option that is no mapping itself."""
    for name, o in options.items():
        if o["type"] == "map":
            yield from paths(o["options"], f"{prefix}{name}.")
        else:
            yield prefix + name, o


def test_every_program_option_is_documented_with_its_default():
    core = json.loads(subprocess.run([f"{BIN}/haled", "--describe"], capture_output=True, text=True,
                                     check=True).stdout)
    rows = {}
    for line in re.findall(r"^\| (`.+?) \| (.*?) \|", read("docs/programs.md"), re.M):
        names, defaults = (re.findall(r"`([^`]+)`", cell) for cell in line)
        # "haled's" is in words; two names of one row have two defaults, or none.
        rows.update(zip(names, defaults or [None] * len(names)))
    documented = {n: o for n, o in paths(core["sections"]["programs"]["options"])}
    assert len(documented) > 40 and set(documented) <= set(rows), set(documented) - set(rows)
    wrong = {n: (rows[n], o["default"]) for n, o in documented.items()
             if "default" in o and rows[n] != o["default"].strip('"')}
    assert not wrong, wrong


def test_every_route_is_documented():
    routes = json.loads(subprocess.run([f"{BIN}/hale-web", "--routes"], capture_output=True,
                                       text=True, check=True).stdout)
    text = read("docs/api.md")
    missing = [r["path"] for r in routes if r["path"] not in text]
    assert len(routes) > 8 and not missing, missing


def test_every_verb_is_documented():
    """With each of its options, by its long name or its letter."""
    def say(*args):
        return subprocess.run([f"{BIN}/hale", *args, "--help"], capture_output=True,
                              text=True).stdout
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)?) ", say(), re.M)
    text = read("docs/cli.md")
    missing = [v for v in verbs if f"hale {v}" not in text]
    for verb in verbs:
        own = say(*verb.split()).split("Everywhere:")[0]
        missing += [f"{verb} {name}" for letter, name in
                    re.findall(r"^ +(?:(-\w), )?(--[a-z-]+)", own, re.M)
                    if name not in text and not (letter and f"`{letter}" in text)]
    assert len(verbs) > 20 and not missing, missing


def test_every_bus_method_is_documented():
    text = read("docs/bus.md")
    for path in files(".c", under="supervisor/commands"):
        for method in re.findall(r'^\t\{"([a-z._]+)", call_', read(path), re.M):
            assert f"`{method}" in text, method


# Options that look like a file to be read and are none: what they name is only asked about.
NO_FILES = {("http", "path"), ("exec", "directory"), ("system", "path")}


def test_every_option_that_names_a_file_opens_it():
    """Without its flag (conf/option.h) the process could not open the file."""
    wrong = []

    def look(owner, options):
        for name, o in options.items():
            look(owner, o.get("options", {}))
            if (o["type"] == "string" and re.search(r"(^|_)(path|file|ca|cert|key|dir)$", name) and
                    "path" not in o and (owner, name) not in NO_FILES):
                wrong.append(f"{owner}: {name}")
            if name == "dsn" and not o.get("connects"):
                wrong.append(f"{owner}: {name} does not connect")

    for m in manifests().values():
        look(m.get("kind"), m.get("options", {}))
        for section in m.get("sections", {}).values():
            look(m.get("service"), section["options"])
    assert not wrong, wrong


def test_the_table_of_confinement_is_documented_as_it_is():
    out = subprocess.run([f"{BIN}/hale", "doctor", "--table", "-o", "json"], capture_output=True,
                         text=True, check=True).stdout
    text = read("docs/security.md")
    columns = ["process", "user", "capabilities", "files", "network", "programs", "limits",
               "system_calls"]
    rows = ["| `%s` | %s |" % (r["process"], " | ".join(r[c] for c in columns[1:]))
            for r in json.loads(out)]
    documented = [line for line in text.splitlines() if line.startswith("| `")]
    assert documented == rows


def test_shipped_configuration_is_good(tmp_path):
    r = subprocess.run([f"{BIN}/haled", "--check", "--config", f"{ROOT}/etc/hale.yaml",
                        "--state-dir", str(tmp_path)], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


def test_links_in_the_documents_lead_somewhere():
    wrong = []
    for path in files(".md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", read(path)):
            if not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
                wrong.append(f"{path}: {target}")
    assert not wrong, wrong
