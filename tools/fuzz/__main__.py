"""Draw inputs, run kinepose on each, judge, confirm, sum up: see the package."""

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import tools.fuzz
from tools.fuzz.cases import Case
from tools.fuzz.confirm import confirm_all
from tools.fuzz.draw import drawn
from tools.fuzz.good_inputs import make_good_inputs
from tools.fuzz.judge import judge, manifest, prepared
from tools.fuzz.page import app_uploads
from tools.fuzz.process import Zygote
from tools.fuzz.summary import write_summary

import kinepose

SEED = int(os.environ.get("FUZZ_SEED", "0"))
FROM = int(os.environ.get("FUZZ_FROM", "0"))
ONLY = os.environ.get("FUZZ_ONLY", "")
KEPT = ("status", "seconds", "megabytes", "class", "noise", "left")
"""What of a run is written down besides its faults."""
ONE_EVERYWHERE = ("traceback", "jargon", "hang")
"""Kinds of faults that are the same whichever command has them."""


def main() -> None:
    """Try WORKDIR [COUNT] of the command line."""
    if len(sys.argv) < 2:
        raise SystemExit(tools.fuzz.__doc__)
    work, count = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    good, began = work / "good", time.monotonic()
    zygote = Zygote()
    if not (good / "done").is_file():
        shutil.rmtree(good, ignore_errors=True)
        good.mkdir(parents=True)
        make_good_inputs(good, zygote)
        (good / "done").write_text("")
    weights = Path(kinepose.__file__).parent / "weights"
    before = manifest(weights), manifest(good)
    cases = drawn(good, count, SEED, ONLY)[FROM:]
    print(f"good inputs after {time.monotonic() - began:.0f} s; {len(cases)} bad ones", flush=True)
    results, distinct = _try(cases, work, zygote)
    if "app" in (ONLY or "app"):
        results += app_uploads(good, work)
    zygote.end()
    assert (manifest(weights), manifest(good)) == before, "weights or good inputs have changed"
    seconds = time.monotonic() - began
    print(f"{len(results)} inputs in {seconds / 60:.1f} min; {len(distinct)} findings", flush=True)
    confirmed = {}
    if os.environ.get("FUZZ_CONFIRM") != "0":
        confirmed = confirm_all(distinct, work, SEED)
    write_summary(work, results, confirmed, seconds)
    print(f"{work / 'summary.md'} after {(time.monotonic() - began) / 60:.1f} min", flush=True)


def _try(cases: list[Case], work: Path, zygote: Zygote) -> tuple[list[dict], dict[tuple, Case]]:
    """A row of results.jsonl for each input, and one input for each distinct finding."""
    results: list[dict] = []
    distinct: dict[tuple, Case] = {}
    began = time.monotonic()
    with (work / "results.jsonl").open("w") as log:
        for number, case in enumerate(cases):
            folder = work / "runs" / f"{number:05d}"
            argv, before = prepared(case, folder, SEED)
            found = zygote.run(argv, folder, case.interrupt)
            faults = judge(case, folder, before, found)
            results.append(_row(case, faults, found))
            log.write(json.dumps(results[-1]) + "\n")
            log.flush()
            for kind, detail in faults:
                command = "" if kind in ONE_EVERYWHERE else results[-1]["command"]
                distinct.setdefault((command, kind, detail), case)
            shutil.rmtree(folder, ignore_errors=True)
            if number % 50 == 49:
                bad = sum(bool(row["faults"]) for row in results)
                passed = time.monotonic() - began
                print(f"{number + 1} inputs, {bad} failed, {passed:.0f} s", flush=True)
    return results, distinct


def _row(case: Case, faults: list, found: dict) -> dict:
    plain = case.argv and re.fullmatch(r"[a-z-]+", case.argv[0])
    return {
        "key": case.key,
        "family": case.family,
        "command": case.argv[0] if plain else "kinepose",
        "words": case.words,
        "expect": case.expect,
        "faults": faults,
        **{name: found.get(name) for name in KEPT},
        "stderr": found["stderr"][-1500:].encode("utf-8", "backslashreplace").decode(),
    }


if __name__ == "__main__":
    main()
