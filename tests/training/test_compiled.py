"""Networks that torch compiles train as others do."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.conftest import TINY_MODEL
from tests.training.weights_of_runs import weights

from kinepose.artifacts.run_folder import read_log
from kinepose.training.train import train


def test_compiled_networks_train_as_others_do(config, tmp_path):
    """In a process of its own: here functions check shapes, which torch cannot compile."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("no C++ compiler")
    model = replace(TINY_MODEL, heatmaps=0, backbone_widths=(8,), backbone_depths=(1,))
    settings = replace(config, clips=(), variant="prior", iterations=4, model=model)
    here = shutil.copytree(config.output, tmp_path / "here")
    train(replace(settings, output=here))
    made = tmp_path / "made"
    done = subprocess.run(
        [sys.executable, "-c", COMPILED],
        input=repr(replace(settings, compile=True)),
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": str(made)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "No working C++ compiler" in done.stdout.splitlines()[0]
    assert list(made.rglob("*.so")), "nothing was compiled"
    expected, found = read_log(here), read_log(config.output)
    assert [line["loss"] for line in found] == [line["loss"] for line in expected]
    for one, other in zip(expected, found, strict=True):
        assert other["total"] == pytest.approx(one["total"], rel=1e-3)
    assert found[-1]["total"] < 0.95 * found[0]["total"], "too little learnt to show anything"
    assert weights(here).keys() == weights(config.output).keys()
    files = [sorted(path.name for path in folder.rglob("*")) for folder in (here, config.output)]
    assert files[0] == files[1]
    train(replace(settings, iterations=5))  # a run goes on without


COMPILED = """
import sys
from pathlib import PosixPath
from torch._inductor import config
from kinepose.dataset.config import *
from kinepose.method.config import *
from kinepose.synthetic.config import *
from kinepose.training.config import *
from kinepose.io.errors import BadInputError
from kinepose.training.train import train
from kinepose.dataset import backgrounds
backgrounds.IMAGES = 24
settings, compiler = eval(sys.stdin.read()), config.cpp.cxx
config.cpp.cxx = ("nothing",)
try:
    train(settings)
except BadInputError as error:
    print(error)
assert [path.name for path in settings.output.iterdir()] == ["prior.npz"]
config.cpp.cxx = compiler
train(settings)
"""
