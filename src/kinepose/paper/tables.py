"""The paper's tables, drawn from the scores that `reproduce` left in files."""

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kinepose.artifacts.run_folder import read_log
from kinepose.io.files import replacing
from kinepose.io.schema import read_json
from kinepose.visualization.charts import bars_with_seeds

RENDERS = "20 synthetic renders in poses of motion capture"
STREAM = "a stream of synthetic renders in poses of motion capture"
"""In place of RENDERS, of a preset that has a stream."""
SUPERVISION = {
    **dict.fromkeys(("prior", "no_t_fk", "no_t_m", "d_p", "unsup", "unseen"), RENDERS),
    "weakly": f"{RENDERS}; all 2D labels",
    "semi": f"{RENDERS}; 5 % of the 3D labels",
    "full": f"{RENDERS} to warm up; all 2D and 3D labels",
}
"""What each row knew of the people in the images, beside the clips themselves; in the order of
the tables: a lower bound, the ablations of Table 4 from the worst on by the paper, the variants of
Tables 2 and 3, an upper bound. `unsup` is that of D_p and D_unp. How they train: stages.py."""


@dataclass(frozen=True)
class Published:
    """What the paper reports of a row."""

    row: str
    benchmark: str
    figures: str


PUBLISHED = (
    Published("no_t_fk", "Human3.6M; 3DHP unseen", "P-MPJPE 134.8; PCK 47.9"),
    Published("no_t_m", "Human3.6M; 3DHP unseen", "P-MPJPE 101.8; PCK 61.7"),
    Published("d_p", "Human3.6M; 3DHP unseen", "P-MPJPE 91.1; PCK 66.3"),
    Published("unsup", "Human3.6M", "P-MPJPE 89.4"),
    Published("unsup", "3DHP", "PCK 79.2, AUC 43.4, MPJPE 99.2"),
    Published("unseen", "3DHP", "PCK 71.2"),
    Published("weakly", "Human3.6M", "P-MPJPE 63.8"),
    Published("weakly", "3DHP", "PCK 80.2, AUC 44.8, MPJPE 97.1"),
    Published("semi", "Human3.6M", "P-MPJPE 56.1"),
    Published("semi", "3DHP", "PCK 81.9, AUC 52.6, MPJPE 89.8"),
)
"""Tables 2 to 4 of Kundu et al. (AAAI 2020). Its row 9 of Table 3 is left out: the text calls that
model weakly supervised, the table unsupervised."""

Scores = dict[str, float]
"""A figure for each column of the table."""


COMPARISONS = (
    *(("prior", "unsup"), ("no_t_fk", "d_p"), ("no_t_m", "d_p"), ("d_p", "unsup")),
    *(("unsup", "weakly"), ("unsup", "semi"), ("unsup", "full")),
)
"""What is to be asked of the rows: how much better is the second than the first, seed by seed?"""

Results = dict[str, dict[int, Scores]]
"""Scores by row and seed."""


def write_tables(
    output: Path, about: str, baselines: dict[str, Scores], renders: str = RENDERS
) -> None:
    """tables.md, table.csv and bars.png of all rows that are finished.

    `renders` says what L_prior had of all of them.
    """
    results = _read_results(output / "scores")
    columns = list(
        dict.fromkeys(c for seeds in results.values() for s in seeds.values() for c in s)
    )
    sections = [
        f"# {about} Mean over seeds, with the standard deviation over seeds.{_minutes(output)}",
        _table_of_rows(results, baselines, columns, renders),
        "## Paired differences\n\nSecond row minus first, seed by seed: mean (least to largest).",
        _table_of_differences(results, columns),
        "## Beside the published figures\n\nOther data, another network: not to be compared as "
        "numbers, only in their order.",
        _table_of_published(results, about.partition("\n")[0], columns),
    ]
    with replacing(output / "tables.md") as path:
        path.write_text("\n\n".join(sections) + "\n")
    with replacing(output / "table.csv") as path, path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "supervision", "seed", "column", "value"])
        for name, seeds in results.items():
            for seed, scores in seeds.items():
                for column, value in scores.items():
                    supervision = supervision_of(name, renders)
                    writer.writerow([name, supervision, seed, column, f"{value:.3f}"])
    if results:
        _draw_bars(output / "bars.png", results, baselines, columns)


def _read_results(folder: Path) -> Results:
    results: Results = {}
    for name in SUPERVISION:
        paths = folder.glob(f"{name}_*.json")
        seeds = {path.stem.removeprefix(f"{name}_"): path for path in paths}
        found = {int(seed): path for seed, path in seeds.items() if seed.isdigit()}
        if found:
            results[name] = {seed: read_json(found[seed], Scores) for seed in sorted(found)}
    return results


def _minutes(output: Path) -> str:
    logs = [read_log(path) for path in sorted((output / "runs").glob("*/*"))]
    minutes = sum(log[-1]["seconds"] / 60 for log in logs if log)
    return f" {minutes:.0f} minutes of training in all, {len(logs)} runs."


def supervision_of(name: str, renders: str) -> str:
    """What a row knew, where L_prior had these renders."""
    return SUPERVISION[name].replace(RENDERS, renders)


def _table_of_rows(
    results: Results, baselines: dict[str, Scores], columns: Sequence[str], renders: str
) -> str:
    rows = [["row", "supervision", "seeds", *columns]]
    for name, seeds in results.items():
        cells = [_mean_and_spread([scores[c] for scores in seeds.values()]) for c in columns]
        rows.append([name, supervision_of(name, renders), str(len(seeds)), *cells])
    for name, scores in baselines.items():
        cells = [f"{scores[c]:.1f}" if c in scores else "" for c in columns]
        rows.append([name.replace("_", " "), "the labels of the test", "", *cells])
    if {"prior", "unsup", "full"} <= results.keys():
        cells = [_gap_closed(results, column) for column in columns]
        rows.append(["gap from prior to full that unsup closes", "", "", *cells])
    return _markdown(rows)


def _gap_closed(results: Results, column: str) -> str:
    means = {
        name: statistics.mean(scores[column] for scores in results[name].values())
        for name in ("prior", "unsup", "full")
    }
    gap = means["prior"] - means["full"]
    return f"{(means['prior'] - means['unsup']) / gap:.0%}" if gap else "no gap"


def _table_of_differences(results: Results, columns: Sequence[str]) -> str:
    rows = [["from", "to", *columns]]
    for first, second in COMPARISONS:
        seeds = sorted(results.get(first, {}).keys() & results.get(second, {}).keys())
        if seeds:
            pairs = [(results[first][seed], results[second][seed]) for seed in seeds]
            rows.append([first, second])
            for column in columns:
                change = [after[column] - before[column] for before, after in pairs]
                text = f"{statistics.mean(change):+.1f} ({min(change):+.1f} to {max(change):+.1f})"
                rows[-1].append(text)
    return _markdown(rows)


def _table_of_published(results: Results, benchmark: str, columns: Sequence[str]) -> str:
    rows = [["row", "figures", "benchmark", "source"]]
    for name in SUPERVISION:
        rows += [
            [name, published.figures, published.benchmark, "Kundu et al. 2020"]
            for published in PUBLISHED
            if published.row == name
        ]
        if name in results:
            means = (
                f"{column} {statistics.mean(s[column] for s in results[name].values()):.1f}"
                for column in columns
            )
            rows.append([name, ", ".join(means), benchmark, "this run"])
    return _markdown(rows)


def _draw_bars(
    path: Path, results: Results, baselines: dict[str, Scores], columns: Sequence[str]
) -> None:
    """Of the last column that the baselines have, which is P-MPJPE; its mean over the tests."""
    shared = [column for column in columns if all(column in s for s in baselines.values())]
    values = [
        [statistics.mean(scores[c] for c in shared) for scores in seeds.values()]
        for seeds in results.values()
    ]
    lines = {
        name.replace("_", " "): statistics.mean(scores[c] for c in shared)
        for name, scores in baselines.items()
    }
    measure = "P-MPJPE [mm]" if len(shared) == 1 else "P-MPJPE, mean over the tests [mm]"
    figure = bars_with_seeds(list(results), values, lines, measure)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _mean_and_spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
