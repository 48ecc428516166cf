# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo    poses by the package's model; then a model from nothing, which adapts to a video
#   make test    linters, types, layers and tests
PYTHON ?= python3
BIN := .venv/bin
KINEPOSE := $(BIN)/kinepose

.PHONY: install test demo clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check src
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile

demo: install
	rm -rf demo
	$(KINEPOSE) synthesize --output demo/unseen --videos 1 --seed 2
	$(KINEPOSE) predict demo/unseen/films/*.mp4 --output demo/poses --detector file --boxes demo/unseen/boxes.csv --side frame
	$(KINEPOSE) evaluate demo/poses demo/unseen/labels/*.npz --output demo/poses/metrics.json
	$(KINEPOSE) synthesize --output demo/videos --videos 10 --camera mixed --seed 1
	$(KINEPOSE) prepare demo/videos/films/*.mp4 --output demo/clips --detector file --boxes demo/videos/boxes.csv --side frame
	$(KINEPOSE) train --clips demo/clips --output demo/run --preset cpu --minutes 3 --warm-up 300 --consistency-from 600 --smallest-spread 0
	$(KINEPOSE) report demo/run --output demo/report.html
	$(KINEPOSE) adapt demo/unseen/films/*.mp4 --output demo/adapted --start demo/run --detector file --boxes demo/unseen/boxes.csv --iterations 60 --check-every 20
	$(KINEPOSE) predict demo/unseen/films/*.mp4 --run demo/adapted --output demo/poses-adapted --detector file --boxes demo/unseen/boxes.csv --side frame
	$(KINEPOSE) evaluate demo/poses-adapted demo/unseen/labels/*.npz --output demo/poses-adapted/metrics.json

clean:
	rm -rf demo .venv
