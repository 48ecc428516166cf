"""tensor_files.py: what comes back, and what is noticed of a file that was changed."""

import json
import math
import re
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from kinepose.io.errors import BadInputError
from kinepose.io.tensor_files import not_finite, read_heads, read_tensors, save_tensors

KINDS = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Tensors of every kind, and a file of them."""
    numbers = torch.Generator().manual_seed(0)
    tensors = {str(kind): torch.rand(3, 4, generator=numbers).to(kind) for kind in KINDS}
    tensors |= {"one": torch.tensor(2.5), "none": torch.zeros(0, 3), "turned": torch.eye(3)[:2].T}
    path = tmp_path_factory.mktemp("written") / "state.safetensors"
    save_tensors(tensors, path, {"step": "7", "turns": "{}"})
    return tensors, path


def test_tensors_and_metadata_come_back(written):
    tensors, path = written
    held, said = read_tensors(path)
    assert held.keys() == tensors.keys() and said == {"step": "7", "turns": "{}"}
    for name, tensor in tensors.items():
        assert held[name].dtype == tensor.dtype and torch.equal(held[name], tensor)


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_one_line_wherever_it_is(written, where, bit):
    tensors, path = written
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 1 << bit
    other = path.with_name("flipped.safetensors")
    other.write_bytes(data)
    try:
        held, _ = read_tensors(other)
    except BadInputError as error:
        assert str(error).startswith(str(other)) and "\n" not in str(error)
    else:  # the name of the checksum itself was hit
        assert "crc32" not in read_heads(other)[1]
        assert all(torch.equal(held[name], tensor) for name, tensor in tensors.items())


def test_what_is_said_beside_the_tensors_is_guarded_too(written):
    _, path = written
    other = path.with_name("later.safetensors")
    other.write_bytes(path.read_bytes().replace(b'"step":"7"', b'"step":"8"'))
    assert read_heads(other)[1]["step"] == "8"
    with pytest.raises(BadInputError, match=r"later.safetensors is damaged: its checksum"):
        read_tensors(other)


def test_a_file_without_a_checksum_is_read(tmp_path):
    save_file({"a": torch.ones(3)}, tmp_path / "a.safetensors")
    tensors, said = read_tensors(tmp_path / "a.safetensors")
    assert torch.equal(tensors["a"], torch.ones(3)) and not said


@given(
    st.lists(st.floats(width=16) | st.just(math.nan), min_size=1, max_size=40),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
def test_numbers_that_are_not_finite_are_found(numbers, kind):
    tensor = torch.tensor(numbers, dtype=kind)
    found = not_finite({"good": torch.ones(2), "whole": torch.arange(3), "other": tensor})
    assert found == (None if tensor.isfinite().all() else "other")


def test_numbers_of_eight_bits_are_one_line(tmp_path):
    head = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(4))
    with pytest.raises(BadInputError, match=re.escape(f"{path} is no file of safetensors")):
        read_tensors(path)
