"""The poses of a video in the formats of other programs.

Tables (JSON, CSV) hold what poses.npz holds, in its frames of reference. Motions (BVH, TRC, C3D)
are a file a person, in the world of kinepose.inference.trajectories.
"""

import csv
import itertools
import json
import math
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np

from kinepose.artifacts.pose_files import POSES, POSES_VERSION, VideoPoses, read_poses, write_poses
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.inference.bvh import write_bvh
from kinepose.inference.config import ExportConfig, Format
from kinepose.inference.output_folder import check_output, export_record, replacing_results
from kinepose.inference.trajectories import (
    IMAGES_A_SECOND,
    VideoMotion,
    pace_in_words,
    video_motions,
)
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_folder, replacing
from kinepose.video.reading import VideoInfo

_C3D_FRAMES = 65535
"""C3D has 16 bits for the number of a frame, the first of which is 1."""


def export(config: ExportConfig) -> None:
    """Write what --formats names of poses that `predict` wrote.

    Raises:
        BadInputError: if the poses cannot be read, a format cannot be written, or the output folder
            holds other results.
    """
    check_formats(config.formats, config.output)
    poses = read_poses(config.poses)
    path = config.poses / POSES if config.poses.is_dir() else config.poses
    record = None
    if path.resolve().parent != config.output.resolve():
        record = export_record(config, path, str(poses.video))
        check_output(config.output, record, config.overwrite)
    with replacing_results(config.output, record, config.overwrite) as folder:
        written = export_poses(poses, config.formats, folder, config.rate)
    for new in written:
        print(config.output / new.name)


def check_formats(formats: tuple[Format, ...], folder: Path) -> None:
    """Say before long work what would stop `export_poses` after it.

    Raises:
        BadInputError: if there is no format, one needs a package that is not installed, or the
            folder cannot be written into.
    """
    if not formats:
        raise BadInputError("no format to write: name some with --formats")
    check_folder(folder)
    if "c3d" in formats:
        _ezc3d()


def check_c3d_length(info: VideoInfo, rate: float | None) -> None:
    """Say before long work that C3D would not hold who is found at a video's end.

    Raises:
        BadInputError: if the last frame of the video, or of a motion at this rate [frames a
            second], has too high a number for the format.
    """
    pace = 1.0 if rate is None else rate / (info.fps or IMAGES_A_SECOND)
    last = int((info.frames - 1) * pace)
    if last >= _C3D_FRAMES:
        raise BadInputError(
            f"C3D numbers frames up to {_C3D_FRAMES}, {info.name} would end at {last + 1}: name a "
            "lower --rate, or no c3d here, but later in `kinepose export`, where people leave early"
        )


def export_poses(
    poses: VideoPoses, formats: tuple[Format, ...], folder: Path, rate: float | None = None
) -> list[Path]:
    """Write poses.FORMAT, or for each person track_N.FORMAT; return the paths.

    Motions come at an even pace, `rate` or the video's [frames a second]; if that is not the
    video's own, a line is printed that says so.

    Raises:
        BadInputError: if there are no poses, or a format cannot hold them.
    """
    if not len(poses.frame):
        raise BadInputError("there are no poses to write")
    written = []
    for name in dict.fromkeys(formats):
        if name in _TABLES:
            written.append(folder / f"poses.{name}")
            _TABLES[name](written[-1], poses)
        for motion in video_motions(poses, rate) if name in _MOTIONS else ():
            written.append(folder / f"track_{motion.track}.{name}")
            _MOTIONS[name](written[-1], motion)
    resampled = [name for name in dict.fromkeys(formats) if name in _MOTIONS]
    if resampled and (pace := pace_in_words(poses, rate)):
        print(f"{', '.join(resampled)}: {pace}")
    return written


def write_json(path: Path, poses: VideoPoses) -> None:
    """Write the poses of each person in turn; a number that is not known is null."""
    people = [
        {"track": int(track), "poses": [_plain(poses, row) for row in rows]}
        for track in np.unique(poses.track)
        for rows in [np.flatnonzero(poses.track == track).tolist()]
    ]
    video = {
        "format_version": POSES_VERSION,
        "video": str(poses.video),
        "fps": float(poses.fps),
        "model_sha256": str(poses.model_sha256),
        "joint_names": JOINT_NAMES,
        "people": people,
    }
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(video, file, allow_nan=False)


def write_csv(path: Path, poses: VideoPoses) -> None:
    """Write one row a person and frame; a number that is not known is left out."""
    columns = ["frame", "time", "image", "track", "x0", "y0", "x1", "y1"]
    columns += ["root_x", "root_y", "root_z", "focal", "energy"]
    columns += [f"{joint}_{axis}" for joint in JOINT_NAMES for axis in (*"uvxyz", "confidence")]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for row in range(len(poses.frame)):
            values = _plain(poses, row)
            joints = (values["joints2d"], values["joints3d"], values["confidence"])
            table.writerow(
                [
                    *(values["frame"], values["time"], values["image"], int(poses.track[row])),
                    *values["box"],
                    *values["root"],
                    *(values["focal"], values["energy"]),
                    *itertools.chain.from_iterable(
                        [*u, *x, sure] for u, x, sure in zip(*joints, strict=True)
                    ),
                ]
            )


def _plain(poses: VideoPoses, row: int) -> dict[str, Any]:
    """A pose in plain numbers, to a hundredth of a px, of a mm and of confidence."""
    energy, time = float(poses.energy[row]), float(poses.time[row])
    numbers = {
        name: getattr(poses, name)[row].astype(np.float64).round(2).tolist()
        for name in ("box", "root", "focal", "joints2d", "joints3d", "confidence")
    }
    return {
        "frame": int(poses.frame[row]),
        "time": None if math.isnan(time) else round(time, 6),
        "image": str(poses.image[row]) or None,
        "energy": None if math.isnan(energy) else round(energy, 6),
        **numbers,
    }


def write_trc(path: Path, motion: VideoMotion) -> None:
    """Write OpenSim's markers in mm; where the person is not found they are empty.

    Every field ends with a tab, the last too, or OpenSim miscounts the fields of an empty row.
    """
    frames, joints = motion.frame, motion.found_joints
    head = {
        "DataRate": f"{motion.fps:.10g}",
        "CameraRate": f"{motion.fps:.10g}",
        "NumFrames": f"{len(frames)}",
        "NumMarkers": f"{len(JOINT_NAMES)}",
        "Units": "mm",
        "OrigDataRate": f"{motion.fps:.10g}",
        "OrigDataStartFrame": "1",
        "OrigNumFrames": f"{len(frames)}",
    }
    axes = [f"{axis}{marker}" for marker in range(1, len(JOINT_NAMES) + 1) for axis in "XYZ"]
    with replacing(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.write(f"PathFileType\t4\t(X/Y/Z)\t{path.name}\n")
        file.write("\t".join(head) + "\n" + "\t".join(head.values()) + "\n")
        file.write("Frame#\tTime\t" + "".join(f"{name}\t\t\t" for name in JOINT_NAMES) + "\n")
        file.write("\t\t" + "".join(f"{axis}\t" for axis in axes) + "\n\n")
        for frame, pose in zip(frames, joints, strict=True):
            numbers = ("" if math.isnan(number) else f"{number:.3f}" for number in pose.ravel())
            fields = [f"{frame + 1}", f"{frame / motion.fps:.6f}", *numbers]
            file.write("".join(f"{field}\t" for field in fields) + "\n")


def write_c3d(path: Path, motion: VideoMotion) -> None:
    """Write C3D's points in mm; where the person is not found they are marked as invalid.

    Raises:
        BadInputError: if the video is too long for the format, or the disk is full.
    """
    frames, joints = motion.frame, motion.found_joints
    if frames[-1] >= _C3D_FRAMES:
        raise BadInputError(
            f"C3D numbers frames up to {_C3D_FRAMES}, track {motion.track} ends at {frames[-1] + 1}"
        )
    invalid = np.isnan(joints[..., 0]).T
    points = np.ones((4, len(JOINT_NAMES), len(frames)))
    points[:3] = np.where(invalid, 0.0, joints.transpose(2, 1, 0))
    c3d = _ezc3d().c3d()
    c3d["header"]["points"]["first_frame"] = int(frames[0])
    c3d["parameters"]["POINT"]["RATE"]["value"] = [motion.fps]
    c3d["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    c3d["parameters"]["POINT"]["LABELS"]["value"] = list(JOINT_NAMES)
    c3d.add_parameter("POINT", "X_SCREEN", ["+X"])
    c3d.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    c3d["data"]["points"] = points
    c3d["data"]["meta_points"]["residuals"] = np.where(invalid, -1.0, 0.0)[None]
    with replacing(path) as temporary:
        with TemporaryDirectory() as place:  # ezc3d knows names in UTF-8 only
            c3d.write(f"{place}/points.c3d")
            shutil.move(f"{place}/points.c3d", temporary)
        # ezc3d says nothing of a full disk; the 17th and 18th byte name the first block of data.
        with temporary.open("rb") as file:
            start = 512 * (int.from_bytes(file.read(18)[16:], "little") - 1)
        if start < 0 or temporary.stat().st_size < start + 4 * points.size:
            raise BadInputError(f"cannot write {path}: is the disk full?")


def _ezc3d() -> ModuleType:
    try:
        import ezc3d
    except ImportError as error:
        raise BadInputError("C3D needs ezc3d: pip install 'kinepose[formats]'") from error
    return ezc3d


_TABLES = {"npz": write_poses, "json": write_json, "csv": write_csv}
_MOTIONS = {"bvh": write_bvh, "trc": write_trc, "c3d": write_c3d}
