"""summary.md: what was found, kind by kind."""

import collections
import re
from pathlib import Path

from tools.fuzz.judge import normal


def write_summary(work: Path, results: list[dict], confirmed: dict, seconds: float) -> None:
    classes = ["refused", "tolerated", "ok", "interrupted", "failed"]
    table: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for row in results:
        table[row["command"]][row["class"]] += 1
        table["all"][row["class"]] += 1
    lines = [
        f"# {len(results)} inputs in {seconds / 60:.1f} min",
        "",
        "| command | inputs | " + " | ".join(classes) + " |",
        "|---" * 7 + "|",
    ]
    for name in [*sorted(n for n in table if n != "all"), "all"]:
        counts = table[name]
        lines.append(
            f"| {name} | {sum(counts.values())} | "
            + " | ".join(str(counts[c]) for c in classes)
            + " |"
        )
    kinds = collections.Counter(kind for row in results for kind in {k for k, _ in row["faults"]})
    lines += [
        "",
        "## Kinds of failure",
        "",
        *(f"- {kind}: {number} inputs" for kind, number in kinds.most_common()),
    ]
    lines += ["", "## Findings", ""]
    groups: dict[tuple, list[dict]] = collections.defaultdict(list)
    for row in results:
        for kind, detail in row["faults"]:
            groups[row["command"], kind, detail].append(row)
    for signature, rows in sorted(groups.items(), key=lambda g: (g[0][1], g[0][0])):
        known = confirmed.get(tuple(signature)) or confirmed.get(("", *signature[1:]), {})
        lines.append(
            f"- **{signature[1]}** {signature[0]}: {signature[2]} ({len(rows)} inputs; by the command line: {known.get('yes', '-')}, status {known.get('status', '-')})"
        )
        lines += [f"    - {row['key']}" for row in rows[:6]]
    for name, heading in (
        ("noise", "Lines beside the one line"),
        ("left", "Whole files left after a refusal"),
    ):
        lines += ["", f"## {heading}", ""]
        such = [r for r in results if r.get(name)]
        for (command, text), number in collections.Counter(
            (r["command"], r[name]) for r in such
        ).most_common(60):
            example = next(r["key"] for r in such if (r["command"], r[name]) == (command, text))
            lines.append(f"- {number} x {command}: {text} ({example})")
    odd = re.compile(r"'(-1|inf|1e308|0|9{9,})'$")
    accepted = collections.defaultdict(list)
    for row in results:
        if (
            row["family"].startswith("options of")
            and row["status"] == 0
            and (value := odd.search(row["words"]))
        ):
            accepted[row["command"], value[1]].append(row["words"].split()[0])
    lines += ["", "## Odd numbers that options accept", ""]
    lines += [
        f"- {command} {value}: {' '.join(options)}"
        for (command, value), options in sorted(accepted.items())
    ]
    said = collections.Counter(
        _normal(r["stderr"].splitlines()[-1])
        for r in results
        if r["status"] and r["stderr"].strip()
    )
    lines += [
        "",
        "## What is said",
        "",
        *(f"- {number} x `{text}`" for text, number in said.most_common()),
    ]
    slow = sorted(results, key=lambda r: -r["seconds"])[:15]
    lines += [
        "",
        "## Slowest",
        "",
        *(f"- {r['seconds']} s, {r['megabytes']} MB: {r['key']}" for r in slow),
    ]
    large = sorted(results, key=lambda r: -(r["megabytes"] or 0))[:10]
    lines += [
        "",
        "## Largest",
        "",
        *(f"- {r['megabytes']} MB, {r['seconds']} s: {r['key']}" for r in large),
    ]
    (work / "summary.md").write_bytes("\n".join(lines).encode("utf-8", "backslashreplace"))
