"""What can be wrong with JSON and logs."""

import json
import math
import sys
import zlib

from tools.fuzz.damage import Damage, Mutation, Numbers

WORST = "[" * 100_000


def json_mutations(base: bytes) -> list[Damage]:
    """Of any JSON."""
    made: list[Damage] = []
    values: dict[str, object] = {
        "null": None,
        "a word": "word",
        "-1": -1,
        "0": 0,
        "1e308": 1e308,
        "NaN": math.nan,
        "a list": [],
        "an object": {},
        "true": True,
        "10^400": 10**400,
        "a list of words": ["word", "word"],
        "2^40": 2**40,
    }

    def paths(value: object, start: tuple = ()) -> list[tuple]:
        found = [start] if start else []
        if isinstance(value, dict):
            for key, part in value.items():
                found += paths(part, (*start, key))
        elif isinstance(value, list) and value:
            found += paths(value[0], (*start, 0))
        return found

    def changed(path: tuple, value: object, drop: bool = False) -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            held = json.loads(data)
            inside = held
            for key in path[:-1]:
                inside = inside[key]
            if drop:
                del inside[path[-1]]
            else:
                inside[path[-1]] = value
            sys.set_int_max_str_digits(0)
            return json.dumps(held).encode()

        return mutate

    dull = {"id2label", "label2id", "task_specific_params", "made_from"}
    for path in paths(json.loads(base)):
        if dull & set(path[:-1]):
            continue
        name = ".".join(map(str, path))
        if path[0] in ("train", "backbone") and zlib.crc32(name.encode()) % (
            6 if path[0] == "train" else 2
        ):
            continue
        made.append((f"{name} missing", changed(path, None, drop=True), "any"))
        for words, value in values.items():
            made.append((f"{name} {words}", changed(path, value), "any"))

    def add(words: str, mutate: Mutation, expect: str = "fail") -> None:
        made.append((words, mutate, expect))

    add("nested 100000 deep", lambda d, n: WORST.encode())
    add(
        "nested deep in a key",
        lambda d, n: d.rstrip()[:-1] + b', "x": ' + WORST.encode() + b"]" * 100_000 + b"}",
    )
    add("not UTF-8", lambda d, n: d.replace(b'"', b'"\xff\xfe', 1))
    add("UTF-16", lambda d, n: d.decode().encode("utf-16"), "any")
    add("with a byte order mark", lambda d, n: b"\xef\xbb\xbf" + d, "any")
    add("a list at the top", lambda d, n: b"[" + d + b"]")
    add("a number", lambda d, n: b"3")
    add("null", lambda d, n: b"null")
    add("a word", lambda d, n: b'"word"')
    add("{}", lambda d, n: b"{}")
    add("a key that is unknown", lambda d, n: d.rstrip()[:-1] + b', "no_such_key": 1}', "any")
    return made


def config_mutations(base: bytes) -> list[Damage]:
    """Of a run's config.json: those of any JSON, and a few that only it can have."""
    made = json_mutations(base)

    def put(part: str, **values: object) -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            held = json.loads(data)
            held[part] = {**held[part], **values}
            return json.dumps(held).encode()

        return mutate

    def add(words: str, mutate: Mutation, expect: str = "fail") -> None:
        made.insert(0, (words, mutate, expect))

    add("an unknown setting of the model", put("model", no_such=1))
    add("map_size 0", put("model", map_size=0))
    add("image_size 33", put("model", image_size=33))
    add("image_size a word", put("model", image_size="32"))
    add("branch_width 10^9", put("model", branch_width=10**9))
    add("branch_width -1", put("model", branch_width=-1))
    add("backbone_widths empty", put("model", backbone_widths=[]))
    add("decoder_widths empty", put("model", decoder_widths=[]))
    add("decoder_widths of 60", put("model", decoder_widths=[8] * 60))
    add("decoder_widths of 5000", put("model", decoder_widths=[8] * 5000))
    add("appearance_widths of words", put("model", appearance_widths=["a"] * 10))
    add("branch_cells 0", put("model", branch_cells=0))
    add("branch_cells 1000", put("model", branch_cells=1000))
    add("landmarks -5", put("model", landmarks=-5))
    add("kinematics a word", put("model", kinematics="word"))
    add("maps null", put("model", maps=None))
    add("sigma 0", put("model", sigma=0.0), "any")
    add("sigma NaN", put("model", sigma=math.nan), "any")
    add("limb_reach a word", put("model", limb_reach="word"), "any")
    add("extended_camera false", put("model", extended_camera=False))
    add(
        "model_type missing in the backbone",
        lambda d, n: d.replace(b'"model_type"', b'"model_kind"'),
    )
    add("model_type unknown", put("backbone", model_type="no_such_type"))
    add("model_type of a text model", put("backbone", model_type="bert"))
    add("model_type a list", put("backbone", model_type=["resnet"]))
    add("the backbone brings code", put("backbone", auto_map={"AutoConfig": "evil.Config"}), "any")
    add("hidden_sizes null", put("backbone", hidden_sizes=None))
    add("hidden_sizes other", put("backbone", hidden_sizes=[4, 4]))
    add("depths negative", put("backbone", depths=[-1, -1]))
    add("hidden_act unknown", put("backbone", hidden_act="no_such_act"))
    add("num_channels 1", put("backbone", num_channels=1))
    add("num_channels 10^12", put("backbone", num_channels=10**12))
    add("out_features unknown", put("backbone", out_features=["stage99"]))
    add("stride 0", put("backbone", downsample_in_first_stage="word"), "any")
    return made


def log_mutations(base: bytes) -> list[Damage]:
    """Of log.jsonl."""
    made: list[Damage] = []
    for key in ("step", "loss", "total", "seconds"):
        values = {
            "a word": "word",
            "null": None,
            "a list": [],
            "NaN": math.nan,
            "1e308": 1e308,
            "-1": -1,
        }
        for words, value in values.items():

            def mutate(data: bytes, numbers: Numbers, key=key, value=value) -> bytes:
                lines = [json.loads(line) for line in data.splitlines()]
                for line in lines:
                    line[key] = value
                return "\n".join(map(json.dumps, lines)).encode() + b"\n"

            made.append((f"{key} {words}", mutate, "any"))
    made.append(("nested deep", lambda d, n: d + WORST.encode() + b"\n", "any"))
    made.append(("not UTF-8", lambda d, n: d.replace(b"prior", b"pri\xff\xfer"), "any"))
    made.append(("a line that lacks its end", lambda d, n: d[:-20], "any"))
    made.append(("lists in lines", lambda d, n: b"[1]\n3\nnull\n", "any"))
    return made
