# SPDX-License-Identifier: Apache-2.0
"""All presets: what is shipped is good as it is. test_preset_*.py has each against real parts."""
import glob
import os

from presets import PRESETS


def test_every_preset_is_good_and_needs_nothing(hale):
    """As it is, with no variable set: what has no usual address is not configured."""
    names = sorted(os.path.basename(p) for p in glob.glob(f"{PRESETS}/*.yaml"))
    assert len(names) == 5
    h = hale("components: {}\n", start=False)
    with open(f"{PRESETS}/README.md") as f:
        listed = f.read()
    for name in names:
        assert f"`{name}`" in listed
        h.write(f"include: ['{os.path.abspath(PRESETS)}/{name}']\n")
        h.cli("config", "check", h.config_path, check=True)
