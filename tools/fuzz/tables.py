"""What can be wrong with tables of boxes (CSV) and motions (BVH)."""

import csv
import io
import re
from collections.abc import Callable

from tools.fuzz.damage import Damage, Mutation, Numbers


def csv_mutations(base: bytes) -> list[Damage]:
    """Of boxes."""
    made: list[Damage] = []
    columns = ["film", "frame", "track", "x0", "y0", "x1", "y1"]
    bad = {
        "frame": ["-1", "1.5", "nan", "1e3", "2147483648", "9" * 5000, "", "word", " 3", "0x3"],
        "track": ["-1", "-2147483648", "nan", "", "word", "9" * 30],
        "x0": ["nan", "inf", "-inf", "1e308", "", "word", "1e999", "99999", "1_0", "1,5"],
        "y1": ["nan", "0", "1e5", "-1", "16"],
        "film": ["", "other.mp4", "../video.mp4", "video.MP4"],
    }
    fine = {("frame", "0x3"), ("track", "-1"), ("track", "-2147483648"), ("y1", "1e5")}
    loose = fine | {("frame", " 3"), ("x0", "1_0"), *(("film", v) for v in bad["film"])}

    def cell(column: str, value: str) -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            rows = list(csv.reader(io.StringIO(data.decode())))
            rows[6][columns.index(column)] = value
            return "\n".join(",".join(row) for row in rows).encode() + b"\n"

        return mutate

    for column, values in bad.items():
        for value in values:
            words = f"{column} {value[:12]!r} in line 7"
            made.append((words, cell(column, value), "any" if (column, value) in loose else "fail"))

    def add(words: str, mutate: Mutation, expect: str = "any") -> None:
        made.append((words, mutate, expect))

    def lines(change: Callable[[list[bytes]], list[bytes]]) -> Mutation:
        return lambda data, numbers: b"\n".join(change(data.rstrip().split(b"\n"))) + b"\n"

    for i, column in enumerate(columns):
        add(
            f"no column {column}",
            lines(
                lambda ls, i=i: [
                    b",".join(line.split(b",")[:i] + line.split(b",")[i + 1 :]) for line in ls
                ]
            ),
            "any" if column == "film" else "fail",
        )
    add("only a first line", lines(lambda ls: ls[:1]), "fail")
    add("no first line", lines(lambda ls: ls[1:]), "fail")
    add("one box", lines(lambda ls: ls[:2]))
    add("a row too short", lines(lambda ls: [*ls[:5], ls[5].rsplit(b",", 2)[0], *ls[6:]]), "fail")
    add("a row too long", lines(lambda ls: [*ls[:5], ls[5] + b",7,7,7", *ls[6:]]), "told")
    add("all rows twice", lines(lambda ls: [*ls, *ls[1:]]), "fail")
    add("an empty line", lines(lambda ls: [*ls[:5], b"", *ls[5:]]))
    add(
        "decimal commas",
        lambda d, n: re.sub(
            rb"(\d)\.(\d)", rb"\1,\2", d.replace(b",16,", b",16.5,").replace(b",66", b",66.5")
        ),
        "fail",
    )
    add("decimal commas in quotes", lambda d, n: re.sub(rb"(\d+)\.(\d)", rb'"\1,\2"', d), "fail")
    add("semicolons", lambda d, n: d.replace(b",", b";"), "fail")
    add("tabs", lambda d, n: d.replace(b",", b"\t"), "fail")
    add("Windows' lines", lambda d, n: d.replace(b"\n", b"\r\n"), "ok")
    add("old Mac's lines", lambda d, n: d.replace(b"\n", b"\r"))
    add("a byte order mark", lambda d, n: b"\xef\xbb\xbf" + d, "ok")
    add("UTF-16", lambda d, n: d.decode().encode("utf-16"), "fail")
    add("Latin-1", lambda d, n: d.replace(b"video.mp4", b"fi\xfcm.mp4"), "fail")
    add("zero bytes inside", lambda d, n: d[:200] + b"\0\0\0" + d[200:], "fail")
    add("a quote that never ends", lambda d, n: d[:200] + b'"' + d[200:], "fail")
    add("a field of 200 kB", lambda d, n: d.replace(b"video.mp4", b"f" * 200_000, 1), "fail")
    add("a first line of 1 MB", lambda d, n: b"a," * 500_000 + d, "fail")
    add("columns in capitals", lambda d, n: d.replace(b"frame", b"Frame"), "fail")
    add(
        "columns in quotes",
        lambda d, n: b",".join(b'"%s"' % c.encode() for c in columns) + d[d.find(b"\n") :],
        "ok",
    )
    add("boxes of 1e-9 px", lambda d, n: re.sub(rb",16,[\d.]+,66", rb",16,95,16.000000001", d))
    add(
        "boxes far outside",
        lambda d, n: d.replace(b",16,", b",5000,").replace(b",66", b",5066"),
        "any",
    )
    add("boxes of 1e5 px", lambda d, n: d.replace(b",16,", b",-99999,").replace(b",66", b",99999"))
    add("frames behind the video's end", lambda d, n: re.sub(rb"mp4,(\d+)", rb"mp4,9\g<1>9", d))
    add("a track a frame", lambda d, n: re.sub(rb"mp4,(\d+),0", rb"mp4,\1,\1", d))
    add("track 2147483647", lambda d, n: re.sub(rb"mp4,(\d+),0", rb"mp4,\1,2147483647", d))
    add(
        "a track that leaps, 2147483647",
        lambda d, n: re.sub(
            rb"mp4,(\d+),0,[\d.]+,16,[\d.]+",
            lambda m: (
                b"mp4,%s,2147483647,%d,16,%d"
                % (m[1], 70 * (int(m[1]) % 2), 70 * (int(m[1]) % 2) + 20)
            ),
            d,
        ),
    )
    return made


def bvh_mutations(base: bytes) -> list[Damage]:
    """Of motions."""
    made: list[Damage] = []

    def add(words: str, old: bytes, new: bytes, expect: str = "fail") -> None:
        made.append((words, lambda d, n: re.sub(old, new, d, count=1), expect))

    add("no HIERARCHY", rb"HIERARCHY\n", b"")
    add("no MOTION", rb"MOTION\n", b"")
    add("Frames 0", rb"Frames: \d+", b"Frames: 0")
    add("Frames -1", rb"Frames: \d+", b"Frames: -1")
    add("Frames a word", rb"Frames: \d+", b"Frames: many")
    add("Frames 10^12", rb"Frames: \d+", b"Frames: 1000000000000")
    for value in (b"0", b"-1", b"nan", b"inf", b"1e-9", b"1e308", b"word", b""):
        add(f"Frame Time {value.decode()!r}", rb"Frame Time: \S+", b"Frame Time: " + value)
    add("CHANNELS 99", rb"CHANNELS 6", b"CHANNELS 99")
    add("CHANNELS a word", rb"CHANNELS 3", b"CHANNELS three")
    add("an unknown channel", rb"Zrotation", b"Qrotation")
    add("one channel twice", rb"Zrotation Xrotation", b"Zrotation Zrotation", "any")
    add("OFFSET a word", rb"OFFSET \S+", b"OFFSET word")
    add("OFFSET nan", rb"OFFSET \S+", b"OFFSET nan")
    add("OFFSET inf", rb"(JOINT[^O]*)OFFSET \S+", rb"\1OFFSET inf")
    add("OFFSET of two numbers", rb"OFFSET \S+ ", b"OFFSET ")
    add("a brace missing", rb"\}", b"")
    add("a brace too many", rb"\}", b"} }")
    add(
        "two ROOTs",
        rb"MOTION",
        b"ROOT b\n{\n OFFSET 0 0 0\n CHANNELS 3 Zrotation Xrotation Yrotation\n}\nMOTION",
    )
    add("no wrists", rb"left_wrist", b"xyz", "any")
    add("a number that is a word", rb"(Frame Time: \S+\n\S+) \S+", rb"\1 word")
    add("a number NaN", rb"(Frame Time: \S+\n\S+) \S+", rb"\1 nan")
    add("a number 1e308", rb"(Frame Time: \S+\n\S+) \S+", rb"\1 1e308")
    add("a number 1e30", rb"(Frame Time: \S+\n\S+) \S+", rb"\1 1e30")
    add("a number too few", rb"(Frame Time: \S+\n\S+) \S+", rb"\1")
    add("names in Latin-1", rb"pelvis", b"p\xe9lvis", "any")
    deep = b"".join(
        b"JOINT j%d\n{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n" % i
        for i in range(3000)
    )
    made.append(
        (
            "3000 joints in a row",
            lambda d, n: d.replace(b"MOTION", deep + b"}" * 3000 + b"\nMOTION"),
            "fail",
        )
    )
    made.append(
        (
            "a chain of 3000 joints",
            lambda d, n: (
                b"HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
                + deep
                + b"End Site\n{\nOFFSET 0 1 0\n}\n"
                + b"}\n" * 3001
                + b"MOTION\nFrames: 1\nFrame Time: 0.1\n"
                + b"0 " * 9003
                + b"\n"
            ),
            "fail",
        )
    )
    made.append(("Windows' lines", lambda d, n: d.replace(b"\n", b"\r\n"), "any"))
    made.append(("all in one line", lambda d, n: d.replace(b"\n", b" "), "any"))
    return made
