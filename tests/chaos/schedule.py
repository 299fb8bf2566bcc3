# SPDX-License-Identifier: Apache-2.0
"""What is done to whom and when: a function of the seed alone, so that a run can be replayed."""
import random
from typing import NamedTuple

# Share of the acts. A stop is followed by SIGCONT after `lasts`; a freeze is not: the watchdog must
# find it.
KINDS = (("kill", 60), ("stop", 28), ("freeze", 12))
# haled itself may also become a new binary, and read its configuration again. When it is killed all
# its children go: often enough to matter, seldom enough to leave the others something to show.
HALED_KINDS = (("kill", 45), ("stop", 20), ("upgrade", 20), ("reload", 15))
HALED_SHARE = 0.08
# Longer than a watchdog of two seconds some of the time, and mostly not.
STOP_MAX_S = 2.5
HALED_STOP_MAX_S = 1.0


class Act(NamedTuple):
    at: float  # seconds of activity since the begin
    kind: str
    victim: str  # name of a process, or "haled"
    lasts: float  # of a stop

    def __str__(self):
        lasts = f" for {self.lasts:.2f} s" if self.kind == "stop" else ""
        return f"{self.at:8.2f} {self.kind} {self.victim}{lasts}"


def acts(seed, seconds, per_second, names, unwatched):
    """The acts of a run in order. Times are drawn as of a Poisson process."""
    rng = random.Random(f"acts {seed}")
    names = sorted(names)
    out, at = [], 0.0
    while True:
        at += rng.expovariate(per_second)
        if at >= seconds:
            return out
        is_haled = rng.random() < HALED_SHARE
        victim = "haled" if is_haled else rng.choice(names)
        kinds, weights = zip(*(HALED_KINDS if is_haled else KINDS))
        kind = rng.choices(kinds, weights)[0]
        lasts = rng.random() * (HALED_STOP_MAX_S if is_haled else STOP_MAX_S)
        if kind == "freeze" and victim in unwatched:
            kind = "stop"  # nobody would find it: a program without a watchdog
        out.append(Act(at, kind, victim, lasts if kind == "stop" else 0.0))


def flips(seed, components):
    """Endless: (component, what it is to be next)."""
    rng = random.Random(f"flips {seed}")
    names = sorted(components)
    while True:
        name = rng.choice(names)
        yield name, rng.choice(components[name])
