"""summary.md: what was found, kind by kind."""

import collections
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.fuzz.confirm import Confirmation
from tools.fuzz.judge import normal

CLASSES = ("refused", "tolerated", "interrupted", "failed")
_ODD = re.compile(r"'(-1|inf|1e308|0|9{9,})'$")


def write_summary(
    work: Path, results: list[dict], confirmed: Mapping[tuple, Confirmation], seconds: float
) -> None:
    """From the rows of results.jsonl."""
    lines = [
        f"# {len(results)} inputs in {seconds / 60:.1f} min",
        *_table(results),
        *_part("Kinds of failure", _kinds(results)),
        *_part("Findings", _findings(results, confirmed)),
        *_part("Lines beside the one line", _examples(results, "noise")),
        *_part("Whole files left after a refusal", _examples(results, "left")),
        *_part("Odd numbers that options accept", _accepted(results)),
        *_part("What is said", _said(results)),
        *_part("Slowest", _largest(results, "seconds")),
        *_part("Largest", _largest(results, "megabytes")),
    ]
    (work / "summary.md").write_bytes("\n".join(lines).encode("utf-8", "backslashreplace"))


def _part(heading: str, lines: Iterator[str]) -> list[str]:
    return ["", f"## {heading}", "", *lines]


def _table(results: list[dict]) -> Iterator[str]:
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for row in results:
        counts[row["command"]][row["class"]] += 1
    yield from ("", f"| command | inputs | {' | '.join(CLASSES)} |", "|---" * 6 + "|")
    everything = sum(counts.values(), collections.Counter())
    for name, count in [*sorted(counts.items()), ("all", everything)]:
        numbers = [sum(count.values()), *(count[kind] for kind in CLASSES)]
        yield f"| {name} | {' | '.join(map(str, numbers))} |"


def _kinds(results: list[dict]) -> Iterator[str]:
    kinds = (kind for row in results for kind in {kind for kind, _ in row["faults"]})
    for kind, number in collections.Counter(kinds).most_common():
        yield f"- {kind}: {number} inputs"


def _findings(results: list[dict], confirmed: Mapping[tuple, Confirmation]) -> Iterator[str]:
    groups: dict[tuple, list[dict]] = collections.defaultdict(list)
    for row in results:
        for kind, detail in row["faults"]:
            groups[kind, row["command"], detail].append(row)
    for (kind, command, detail), rows in sorted(groups.items()):
        again = confirmed.get((command, kind, detail)) or confirmed.get(("", kind, detail))
        known = "not tried"
        if again is not None:
            known = "so too" if kind in {found for found, _ in again.faults} else "not so"
            known += f", status {again.status}"
        yield f"- **{kind}** {command}: {detail} ({len(rows)} inputs; by the command line: {known})"
        yield from (f"    - {row['key']}" for row in rows[:6])


def _examples(results: list[dict], name: str) -> Iterator[str]:
    """What rows have under a name, how often, and one that has it."""
    such = [(row["command"], row[name], row["key"]) for row in results if row.get(name)]
    keys = {(command, text): key for command, text, key in such}
    counted = collections.Counter((command, text) for command, text, _ in such)
    for (command, text), number in counted.most_common(60):
        yield f"- {number} x {command}: {text} ({keys[command, text]})"


def _accepted(results: list[dict]) -> Iterator[str]:
    options = collections.defaultdict(list)
    for row in results:
        if row["family"].startswith("options of") and not row["status"]:
            for value in _ODD.findall(row["words"]):
                options[row["command"], value].append(row["words"].split()[0])
    for (command, value), names in sorted(options.items()):
        yield f"- {command} {value}: {' '.join(names)}"


def _said(results: list[dict]) -> Iterator[str]:
    last = (row["stderr"].splitlines()[-1:] for row in results if row["status"])
    for text, number in collections.Counter(
        normal(line) for (line,) in filter(None, last)
    ).most_common():
        yield f"- {number} x `{text}`"


def _largest(results: list[dict], name: str) -> Iterator[str]:
    for row in sorted(results, key=lambda row: -(row.get(name) or 0))[:15]:
        yield f"- {row.get('seconds')} s, {row.get('megabytes')} MB: {row['key']}"
