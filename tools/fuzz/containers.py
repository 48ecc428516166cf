"""What can be wrong with weights, clips, and the files of data sets and other programs."""

import io
import json
import math
import struct
from collections.abc import Callable

import h5py
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io
from tools.fuzz.damage import Damage, Mutation, Numbers
from tools.fuzz.images import png_bytes
from tools.fuzz.texts import WORST


def tensor_mutations(base: bytes) -> list[Damage]:
    """Of a file of safetensors."""
    made: list[Damage] = []

    def add(words: str, change: Callable[[dict, bytearray], object], expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            size = struct.unpack("<Q", data[:8])[0]
            head, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
            change(head, body)
            text = json.dumps(head).encode()
            return struct.pack("<Q", len(text)) + text + bytes(body)

        made.append((words, mutate, expect))

    size = struct.unpack("<Q", base[:8])[0]
    head = json.loads(base[8 : 8 + size])
    floats = [k for k, v in head.items() if v.get("dtype") == "F32" and v["shape"]]
    weights = next(k for k in floats if k.endswith("weight") and len(head[k]["shape"]) > 1)
    last = [k for k in floats if "branch" in k and k.endswith("bias")][-1:] or [weights]

    def fill(
        name: str, value: float, count: int | None = None
    ) -> Callable[[dict, bytearray], object]:
        def change(head: dict, body: bytearray) -> None:
            start, end = head[name]["data_offsets"]
            many = (end - start) // 4 if count is None else count
            body[start : start + 4 * many] = struct.pack("<f", value) * many

        return change

    for name in (weights, last[0]):
        for value in (math.nan, math.inf, 1e38, 0.0):
            add(f"{name} all {value}", fill(name, value), "any")
        add(f"{name} with one NaN", fill(name, math.nan, 1), "any")
    everything = [k for k in head if k != "__metadata__"]

    def all_nan(head: dict, body: bytearray) -> None:
        body[:] = struct.pack("<f", math.nan) * (len(body) // 4)

    add("all numbers NaN", all_nan, "any")
    add("a tensor missing", lambda h, b: h.pop(weights))
    add("a tensor too many", lambda h, b: h.update(extra={**h[weights]}))
    add("a tensor under another name", lambda h, b: h.update(other=h.pop(weights)))
    add(
        "a tensor transposed",
        lambda h, b: h[weights].update(shape=h[weights]["shape"][::-1]),
        "any",
    )
    add("a tensor flat", lambda h, b: h[weights].update(shape=[int(np.prod(h[weights]["shape"]))]))
    add("a tensor of int32", lambda h, b: h[weights].update(dtype="I32"), "any")
    add("a tensor of an unknown type", lambda h, b: h[weights].update(dtype="X99"))
    add("a tensor of 4 TB", lambda h, b: h[weights].update(shape=[2**40], data_offsets=[0, 2**42]))
    add("a shape of 2^63", lambda h, b: h[weights].update(shape=[2**63, 2**63]))
    add("a shape of -1", lambda h, b: h[weights].update(shape=[-1]))
    add("offsets backwards", lambda h, b: h[weights]["data_offsets"].reverse())
    add(
        "two tensors in one place",
        lambda h, b: h[everything[1]].update(data_offsets=h[everything[0]]["data_offsets"]),
    )
    add("no tensors", lambda h, b: (h.clear(), b.clear()))
    add("metadata a number", lambda h, b: h.update(__metadata__=3))

    def raw(words: str, mutate: Mutation) -> None:
        made.append((words, mutate, "fail"))

    raw("a head of 2^63 bytes", lambda d, n: struct.pack("<Q", 2**63) + d[8:])
    raw("a head of 90 MB", lambda d, n: struct.pack("<Q", 90_000_000) + d[8:])
    raw("a head of 0 bytes", lambda d, n: bytes(8))
    raw("a head nested deep", lambda d, n: struct.pack("<Q", 100_000) + WORST.encode() + d)
    raw("a head that is no JSON", lambda d, n: d[:8] + b"x" * size + d[8 + size :])
    return made


def parquet_mutations(base: bytes) -> list[Damage]:
    """Of clips."""
    made: list[Damage] = []

    def add(words: str, change: Callable, expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            table = pq.read_table(pa.BufferReader(data), use_threads=False)
            out = io.BytesIO()
            pq.write_table(change(table, numbers), out, compression="zstd")
            return out.getvalue()

        made.append((words, mutate, expect))

    def column(name: str, values: Callable[[list], list]) -> Callable:
        def change(table, numbers):
            index = table.schema.get_field_index(name)
            field = table.schema.field(name)
            return table.set_column(
                index, field, pa.array(values(table[name].to_pylist()), field.type)
            )

        return change

    schema = pq.read_schema(pa.BufferReader(base))
    for name in schema.names:
        add(f"no column {name}", lambda t, n, name=name: t.drop_columns([name]))
        add(f"{name} null", column(name, lambda v: [None] * len(v)), "any")
    add("another column", lambda t, n: t.append_column("more", pa.array([1] * len(t))))
    add("no rows", lambda t, n: t[:0], "any")
    add("one row", lambda t, n: t[:1], "any")
    add("rows backwards", lambda t, n: t.take(list(range(len(t)))[::-1]), "any")
    for value in (math.nan, math.inf, -1.0, 1e308):
        add(f"times {value}", column("time", lambda v, x=value: [x] * len(v)), "any")
        add(
            f"crops {value}",
            column("crop", lambda v, x=value: [[min(x, 3e38)] * 3] * len(v)),
            "any",
        )
        add(
            f"boxes {value}", column("box", lambda v, x=value: [[min(x, 3e38)] * 4] * len(v)), "any"
        )
    add("one time for all", column("time", lambda v: [0.0] * len(v)), "any")
    for name in ("image", "background", "valid"):
        add(f"{name} empty", column(name, lambda v: [b""] * len(v)), "any")
        add(f"{name} a text", column(name, lambda v: [b"no image"] * len(v)), "any")
        add(f"{name} truncated", column(name, lambda v: [x and x[: len(x) // 2] for x in v]), "any")
        add(f"{name} of 1 x 1 px", column(name, lambda v: [png_bytes(1, 1, True)] * len(v)), "any")
        huge = png_bytes(60000, 60000, False)
        add(f"{name} says 60000 x 60000", column(name, lambda v, h=huge: [h] * len(v)), "any")
    add("video empty", column("video", lambda v: [""] * len(v)), "any")
    add("video with a path", column("video", lambda v: ["../../x.mp4"] * len(v)), "any")
    add("frame -1", column("frame", lambda v: [-1] * len(v)), "any")
    add("clip numbers up and down", column("clip", lambda v: [i % 2 for i in range(len(v))]), "any")
    add(
        "paired up and down", column("paired", lambda v: [i % 2 == 0 for i in range(len(v))]), "any"
    )

    def other(table, numbers):
        return pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})

    add("another table", other)
    return made


def hdf5_mutations(base: bytes) -> list[Damage]:
    """Of data sets in HDF5, which MATLAB writes as well."""
    made: list[Damage] = []

    def add(words: str, change: Callable, expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            out = io.BytesIO(data)
            with h5py.File(out, "r+") as file:
                change(file)
            return out.getvalue()

        made.append((words, mutate, expect))

    def put(name: str, value: Callable) -> Callable:
        def change(file) -> None:
            new = value(np.asarray(file[name]))
            del file[name]
            file[name] = new

        return change

    with h5py.File(io.BytesIO(base)) as file:
        names: list[str] = []
        file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
    for name in names:

        def drop(file, name=name) -> None:
            del file[name]

        def group(file, name=name) -> None:
            del file[name]
            file.create_group(name)

        add(f"no {name}", drop)
        add(f"{name} a group", group)
        add(f"{name} words", put(name, lambda a: np.full(a.shape, b"word")))
        add(f"{name} NaN", put(name, lambda a: np.full(a.shape, np.nan)))
        add(f"{name} -1", put(name, lambda a: np.full(a.shape, -1)), "any")
        add(f"{name} 1e300", put(name, lambda a: np.full(a.shape, 1e300)), "any")
        add(f"{name} zeros", put(name, lambda a: np.zeros(a.shape)), "any")
        add(f"{name} without its last row", put(name, lambda a: a[:-1]))
        add(f"{name} without rows", put(name, lambda a: a[:0]))
        add(f"{name} flat", put(name, lambda a: a.reshape(-1)), "any")

        def claims(file, name=name) -> None:
            shape = (2**40, *file[name].shape[1:])
            del file[name]
            file.create_dataset(name, shape, "f8", chunks=(64, *shape[1:]))

        add(f"{name} claims 2^40 rows", claims)
    return made


def mat_mutations(base: bytes) -> list[Damage]:
    """Of MATLAB's older files."""
    held = {k: v for k, v in scipy.io.loadmat(io.BytesIO(base)).items() if k[:2] != "__"}
    made: list[Damage] = []

    def add(words: str, name: str, value: Callable | None, expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            arrays = {k: v for k, v in held.items() if k != name or value is not None}
            if value is not None:
                arrays[name] = value(held[name].copy())
            out = io.BytesIO()
            scipy.io.savemat(out, arrays, format="5")
            return out.getvalue()

        made.append((words, mutate, expect))

    def inner(change: Callable[[np.ndarray], np.ndarray]) -> Callable:
        def value(cells: np.ndarray) -> np.ndarray:
            if cells.dtype != object:
                return change(cells)
            out = cells.copy()
            out[0, 0] = change(out[0, 0])
            return out

        return value

    for name in held:
        add(f"no {name}", name, None)
        add(f"{name} a word", name, lambda a: "word")
        add(f"{name} NaN", name, inner(lambda a: np.full(a.shape, np.nan)))
        add(f"{name} inf", name, inner(lambda a: np.full(a.shape, np.inf)))
        add(f"{name} 1e300", name, inner(lambda a: np.full(a.shape, 1e300)), "any")
        add(f"{name} zeros", name, inner(lambda a: np.zeros(a.shape)), "any")
        add(f"{name} without rows", name, inner(lambda a: a[..., :0]), "fail")
        add(f"{name} transposed", name, inner(lambda a: a.T.copy()), "fail")
        add(f"{name} complex", name, inner(lambda a: a + 1j), "fail")
        add(f"{name} in cells", name, lambda a: np.array([[np.zeros((0, 0)), "x"]], object), "fail")
    return made


def onnx_mutations(base: bytes) -> list[Damage]:
    """Of what `export-onnx` writes."""
    made: list[Damage] = []

    def add(words: str, change: Callable, expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            model = onnx.load_from_string(data)
            change(model)
            return model.SerializeToString()

        made.append((words, mutate, expect))

    def rename(model) -> None:
        old = model.graph.input[0].name
        model.graph.input[0].name = "photographs"
        for node in model.graph.node:
            node.input[:] = ["photographs" if name == old else name for name in node.input]

    def size(model) -> None:
        for axis in model.graph.input[0].type.tensor_type.shape.dim[2:]:
            axis.dim_value = 64

    def nan(model) -> None:
        for weight in model.graph.initializer:
            if weight.data_type == 1 and weight.raw_data:
                count = len(weight.raw_data) // 4
                weight.raw_data = struct.pack("<f", math.nan) * count

    def external(model) -> None:
        weight = next(w for w in model.graph.initializer if w.raw_data)
        weight.ClearField("raw_data")
        weight.data_location = 1
        entry = weight.external_data.add()
        entry.key, entry.value = "location", "../../../../etc/passwd"

    add("without metadata", lambda m: m.ClearField("metadata_props"))
    add("of another run", lambda m: setattr(m.metadata_props[0], "value", "0" * 64))
    add("its input under another name", rename)
    add("its input of another size", size)
    add("without its last outputs", lambda m: m.graph.output.__delitem__(slice(2, None)))
    add("its outputs in another order", lambda m: m.graph.output.reverse())
    add("without outputs", lambda m: m.graph.ClearField("output"))
    add("without nodes", lambda m: m.graph.ClearField("node"))
    add("all weights NaN", nan)
    add("weights in /etc/passwd", external)
    add("of opset 999", lambda m: setattr(m.opset_import[0], "version", 999))
    return made
