"""Which inputs are tried: of each family its share."""

import collections
import zlib
from pathlib import Path

import numpy as np
from tools.fuzz.cases import Case, table_cases
from tools.fuzz.files import cases_of, targets
from tools.fuzz.names import name_cases
from tools.fuzz.odd_inputs import odd_cases
from tools.fuzz.options import SHARES, option_cases
from tools.fuzz.outputs import output_cases

Family = tuple[float, list[Case]]
"""Its share, and all that is in it."""


def families(good: Path) -> dict[str, Family]:
    """All inputs that there are."""
    made: dict[str, Family] = {t.name: (t.weight, cases_of(good, t)) for t in targets(good)}
    for command, share in SHARES.items():
        made[f"options of {command}"] = (share, option_cases(good, command))
    others: dict[str, list[Case]] = collections.defaultdict(list)
    for case in [*output_cases(good), *table_cases(good), *name_cases(good), *odd_cases(good)]:
        others[case.family].append(case)
    for name, cases in others.items():
        share = 0.45 if name.startswith("output of") else 0.85
        made[name] = (min(len(cases), 200) * share, cases)
    return made


def drawn(good: Path, count: int, seed: int, only: str) -> list[Case]:
    """So many inputs; `only` names, between bars, what a family's name must hold."""
    kept = {
        name: family
        for name, family in families(good).items()
        if any(part in name for part in only.split("|"))
    }
    total = sum(share for share, _ in kept.values())
    chosen: list[Case] = []
    for name, (share, cases) in kept.items():
        seen: collections.Counter = collections.Counter()
        for case in cases:
            seen[case.words] += 1
            again = f" #{seen[case.words]}" if seen[case.words] > 1 else ""
            case.key = f"{name}/{case.words}{again}"
        numbers = np.random.default_rng([seed, zlib.crc32(name.encode())])
        order = numbers.permutation(len(cases))
        chosen += [cases[i] for i in order[: max(1, round(count * share / total))]]
    return chosen
