"""About a thousand bad inputs for every command, each judged by one promise.

Bad input gets one clear line and a non-zero exit status; never a traceback or a report of a bug,
never a hang, never a half-written or wrong result with status 0, and nothing that existed is lost.

    OMP_NUM_THREADS=1 python -m tools.fuzz WORKDIR [COUNT]

COUNT inputs (1000) are drawn from a longer list, the same for the same COUNT and $FUZZ_SEED (0).
$FUZZ_ONLY keeps the families whose name holds one of these words (a|b), $FUZZ_FROM leaves out so
many at the beginning. Good inputs are made first, by this package and by kinepose itself. A process
that has imported kinepose forks one child an input, which calls kinepose.cli.main with sys.argv
set, in a folder of its own, with 8 GiB of address space and $FUZZ_LIMIT (60) s. What is found is
run once more by the true command line, unless $FUZZ_CONFIRM is 0. WORKDIR gets results.jsonl,
summary.md and findings/NAME with the input and what was printed. A judgement may be wrong: look
before you mend. 25 minutes of a free core.

- files.toml, files.py: files that commands read, damaged by damage.py (any bytes), arrays.py,
  texts.py, tables.py, containers.py (by format), odd_videos.py.
- cases.toml, cases.py: command lines that make no sense; outputs.py: places to write to; names.py;
  odd_inputs.py: addresses, pages, folders of images; options.py: every option.
- good_inputs.py, good_benchmarks.py, images.py: what is damaged.
- process.py runs, judge.py, contents.py and well_formed.py judge, page.py tries the page,
  summary.py sums up.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TQDM_DISABLE"] = "1"  # kinepose does so itself before it imports tqdm
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.environ["PYTHONIOENCODING"] = "utf-8:strict"  # as in a user's en_US.UTF-8, not in C
sys.dont_write_bytecode = True
