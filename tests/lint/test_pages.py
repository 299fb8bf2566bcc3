# SPDX-License-Identifier: Apache-2.0
"""What hale writes of itself: manual pages and the JSON Schema, held against what they tell of."""
import glob
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from test_lint import BIN, ROOT, read

SHARE = os.path.join(BIN, "../share")
PAGES = {"hale": f"{SHARE}/man/man1/hale.1", "haled": f"{SHARE}/man/man8/haled.8",
         "hale.yaml": f"{SHARE}/man/man5/hale.yaml.5"}


def plain(page):
    """The text of a page: escapes and fonts taken away."""
    text = re.sub(r"\\f[BIR]", "", open(page).read())
    return text.replace("\\-", "-").replace("\\&", "").replace("\\(aq", "'").replace(
        "\\[u2026]", "…")


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", PAGES)
def test_pages_have_no_mistakes(name):
    assert shutil.which("mandoc"), "mandoc is a test dependency: scripts/install-packages test"
    r = subprocess.run(["mandoc", "-Tlint", "-W", "warning", PAGES[name]], capture_output=True,
                       text=True)
    assert (r.returncode, r.stdout) == (0, "")
    r = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", PAGES[name]],
                       capture_output=True, text=True,
                       env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"})
    assert (r.returncode, r.stderr) == (0, "")


def test_the_page_of_hale_has_every_verb_and_option():
    text = plain(PAGES["hale"])
    usage = run(f"{BIN}/hale", "--help")
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)?) ", usage, re.M)
    assert len(verbs) > 20
    for verb in verbs:
        assert re.search(rf"^hale {verb}( |$)", text, re.M), verb
        for option in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", run(f"{BIN}/hale", *verb.split(),
                                                                  "--help"), re.M):
            assert re.search(rf"^(-\w, )?{option}( |$)", text, re.M), f"{verb} {option}"


def test_the_page_of_haled_has_every_option():
    text = plain(PAGES["haled"])
    options = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", run(f"{BIN}/haled", "--help"), re.M)
    assert len(options) > 5
    for option in options:
        assert re.search(rf"^(-\w, )?{option}( |,|$)", text, re.M), option


def names_of(options):
    for name, o in options.items():
        yield name
        yield from names_of(o.get("options", {}))


def test_the_page_of_the_file_has_every_section_kind_and_option():
    text = plain(PAGES["hale.yaml"])
    seen = 0
    for path in glob.glob(f"{SHARE}/hale/manifests/*.json"):
        m = json.load(open(path))
        headings = [m["kind"]] if m["role"] == "check" else list(m["sections"])
        tables = [m["options"]] if m["role"] == "check" else [
            s["options"] for s in m["sections"].values()]
        for heading, options in zip(headings, tables):
            part = re.search(rf'^\.SS "{heading}"\n(.*?)(?=^\.S[SH] )', text, re.M | re.S)
            assert part, heading
            for name in [*names_of(options), *(x["name"] for x in m.get("metrics", []))]:
                assert re.search(rf"^{re.escape(name)}( \(|$)", part.group(1), re.M), \
                    f"{heading}: {name}"
                seen += 1
    assert seen > 100
    schema = json.load(open(f"{SHARE}/hale/hale.schema.json"))
    for section in schema["properties"]:
        assert section in ("components", "include") or f'.SS "{section}"' in text, section
    component = next(iter(schema["properties"]["components"]["patternProperties"].values()))
    for option in component["properties"]:
        assert re.search(rf'^{option} \(|^\.SS "{option}"', text, re.M), option


# ---- JSON Schema ----

def validator():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.load(open(f"{SHARE}/hale/hale.schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def load(text):
    """As hale and editors read it: keys are texts, also that of the kind null."""
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("tag:yaml.org,2002:map", lambda loader, node: {
        str(key.value): loader.construct_object(value, deep=True) for key, value in node.value})
    return yaml.load(text, Loader)


def problems(v, document):
    return [f"{list(e.absolute_path)}: {e.message[:200]}" for e in v.iter_errors(document)]


def examples():
    """Every YAML example of the documents that is a whole file or some components of one."""
    for path in sorted(glob.glob(f"{ROOT}/docs/*.md")) + [f"{ROOT}/README.md"]:
        for n, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", open(path).read(),
                                            re.M | re.S)):
            yield f"{os.path.basename(path)} #{n + 1}", text


def test_the_shipped_configuration_fits_the_schema():
    text = read("etc/hale.yaml")
    v = validator()
    assert problems(v, load(text)) == []
    # What is there to be uncommented must be right as well.
    own = text[text.index("  # shop:"):]
    own = re.sub(r"^( *)# (?=[ a-z{-])", r"\1", own, flags=re.M)
    assert problems(v, load("components:\n" + own)) == []
    assert re.search(r"^# yaml-language-server: \$schema=\S+/hale\.schema\.json$", text, re.M)


def test_examples_of_the_documents_fit_the_schema():
    v = validator()
    whole = json.load(open(f"{SHARE}/hale/hale.schema.json"))["properties"]
    n = 0
    for where, text in examples():
        document = load(text)
        if not set(document) & set(whole):
            document = {"components": document}
        assert problems(v, document) == [], where
        n += 1
    assert n > 8


@pytest.mark.parametrize("text", [
    "component: {}",
    "components: {api: {interval: 5s}}",
    "components: {api: {http: {url: x}, tcp: {address: x}}}",
    "components: {api: {http: {}}}",
    "components: {api: {http: {url: x}, interval: 5}}",
    "components: {api: {http: {url: x}, interval: 5 s}}",
    "components: {api: {http: {url: x}, intervall: 5s}}",
    "components: {API!: {http: {url: x}}}",
    "components: {api: {http: {url: x}, degraded_after: 0}}",
    "components: {api: {http: {url: x}, impact: bad}}",
    "components: {api: {http: {url: x}, enabled: 3}}",
    "bus: {ring: large}",
    "alerts: {rules: [{type: status_change}], chanels: {}}",
    "web: {listen: {address: x}}",
])
def test_what_is_wrong_does_not_fit_the_schema(text):
    assert problems(validator(), load(text)), text
