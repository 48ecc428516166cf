"""Settings of synthetic people: what they do, where, how they look; nothing here imports torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from annotated_types import Interval

from kinepose.io.errors import SettingError
from kinepose.io.places import Reads, Writes
from kinepose.io.schema import Settings, ends
from kinepose.io.settings import Range, Seed, Share, Weight, Workers

Appearance = Literal["render", "video", "dressed", "foreign"]


@dataclass(frozen=True)
class MotionConfig(Settings):
    """What synthetic people do, in proportions of their time."""

    captured: Weight = 0.35
    """Motion capture as it is, but for mirroring and speed."""
    mixed: Weight = 0.35
    """Legs of one motion, arms of another."""
    procedural: Weight = 0.3
    """Smooth paths through random poses within anatomical limits."""
    locomotion: Share = 0.35
    """Share of captured motion that is walking or running, in addition to its natural share."""
    acrobatics: Share = 0.0
    """Share of captured motion that is acrobatic, in addition to its natural share, and of
    procedural motion with the trunk any way up and joints near their limits."""
    walks_between: Share = 0.5
    """How often people walk or run on between one thing and the next, if the camera moves."""
    longest_stay: Annotated[float, Interval(ge=0.5, le=3600.0)] = 4.0
    """Longest time that people do one thing; 1.7 at most if they walk about before a static camera
    [s]."""
    standing: Share = 0.125
    """Share of videos by a static camera in which people stay where they are. In the others they
    walk about, so that the median of the frames shows the background without a ghost."""
    speed: Annotated[float, Interval(ge=1.0, le=10.0)] = 1.4
    """Largest factor by which a clip is made faster or slower."""
    perturbation: Annotated[float, Interval(ge=0.0, le=90.0)] = 6.0
    """Standard deviation of slow random offsets of the joints [degrees]."""
    clips: Annotated[Path | None, Reads()] = None
    """Folder of clips of your own, with subfolders: .bvh (needs kinepose[motion]) or .npz of AMASS.
    They are seen in addition to the package's own."""
    only: tuple[str, ...] = ()
    """Which of the package's clips may be seen; none means all but those kept for tests."""
    apart: bool = False
    """Whether each video shows one of the package's clips, the next in turn, and nothing else."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.captured + self.mixed + self.procedural == 0:
            raise SettingError("captured", "0, mixed and procedural too: nobody moves")


@dataclass(frozen=True)
class SceneConfig(Settings):
    """Where synthetic people are, how they are lit and seen: what is drawn at random, how far."""

    backgrounds: Annotated[Path | None, Reads()] = None
    """Folder of photographs to stand people before."""
    places: Literal["procedural", "training", "test"] = "procedural"
    """What stands behind people without that folder: made-up scenes, the photographed places of
    the package that may be trained on, or those that are kept for tests."""
    clutter: Annotated[float, Interval(ge=0.0, le=1000.0)] = 5.0
    """Things in a procedural scene, on average."""
    distance: Annotated[Range, ends(1.0, 100.0)] = (4.0, 6.5)
    """From the camera to where the person is on average [m]."""
    height: Annotated[Range, ends(-100.0, 100.0)] = (0.6, 2.2)
    """Of the camera above the floor [m]."""
    roll: Annotated[float, Interval(ge=0.0, le=180.0)] = 1.7
    """Standard deviation of the camera's roll [degrees]."""
    zoom: Share = 0.08
    """How much a moving camera zooms, as standard deviation of the focal length's logarithm."""
    shake: Share = 0.015
    """How much a moving camera sways in the hand: standard deviation of where it looks [m]."""
    sun: Annotated[Range, ends(5.0, 90.0)] = (30.0, 80.0)
    """Height of the sun above the horizon [degrees]."""
    softness: Annotated[Range, ends(0.0, 1.0)] = (0.0, 1.0)
    """Of light and shadow: 0 is a bare sun, 1 an overcast sky."""
    warmth: Share = 0.08
    """Standard deviation of the light's tint, from blue to orange."""
    exposure: Annotated[Range, ends(0.0, 10.0)] = (0.7, 1.2)
    """Brightness of the light."""
    blur: Annotated[Range, ends(0.05, 100.0)] = (0.2, 0.8)
    """Of the lens [px]."""
    noise: Annotated[Range, ends(0.0, 255.0)] = (0.5, 4.0)
    """Standard deviation of the sensor's noise [0 to 255]."""
    compression: Annotated[int, Interval(ge=0, le=51)] = 18
    """H.264's constant rate factor: 0 loses nothing, 51 most."""
    occluders: Share = 0.0
    """Share of videos in which an object hides a part of the person now and then."""
    shutter: Share = 0.0
    """Share of the time from frame to frame that the shutter is open: motion blur, at three times
    the cost."""


@dataclass(frozen=True)
class SingleImagesConfig(Settings):
    """How renders of single people look; sequences that were made by the same are kept for all."""

    size: Annotated[int, Interval(ge=16, le=4096)] = 256
    """Side of the renders [px]."""
    dressed: Share = 0.8
    """Share of people with textured skin, hair and clothes; the others are painted."""
    video_like: Share = 0.8
    """Share of painted people who look like those of videos; the others look like the paper's
    renders."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    scene: SceneConfig = field(default_factory=SceneConfig)
    """Of which the light and the prints on clothes are used."""


@dataclass(frozen=True)
class SynthesizeConfig(Settings):
    """Render videos of synthetic people, labels in files of their own, and a detector's boxes."""

    output: Annotated[Path, Writes(("films/", "labels/", "boxes.csv"))]
    """Folder for films/*.mp4, labels/*.npz and boxes.csv."""
    name: str = "film"
    """What the names of the videos begin with."""
    videos: Annotated[int, Interval(ge=1, le=1_000_000)] = 8
    """How many videos, each of one person in one set of clothes."""
    seconds: Annotated[float, Interval(ge=0.0, le=86400.0)] = 6.0
    """Length of each video [s]."""
    size: Annotated[int, Interval(ge=32, le=8192)] = 256
    """Width and height of the videos [px]."""
    fps: Annotated[int, Interval(ge=1, le=1000)] = 25
    """Frames a second."""
    camera: Literal["static", "moving", "mixed"] = "static"
    """Whether the camera stands still; mixed alternates."""
    seed: Seed = 0
    """The same seed gives the same videos."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    scene: tyro.conf.OmitArgPrefixes[SceneConfig] = field(default_factory=SceneConfig)
    appearance: Appearance = "video"
    """'video' people look unlike the 20 renders of the prior: other light, shading, materials.
    'dressed' people have textured skin, hair and clothes. 'foreign' people are jointed mannequins,
    shaded as no other people here."""
    workers: Workers = 0
    """Processes; 0 means one a core."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if round(self.seconds * self.fps) < 1:
            raise SettingError("seconds", f"{self.seconds:g} at {self.fps} fps: less than a frame")
        if self.size % 2:
            raise SettingError("size", f"{self.size}: H.264 needs an even number")
