"""What a camera sees of someone in a scene, frame by frame, and what a detector makes of them."""

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kinepose.synthetic.body import load_body, shape_coefficients
from kinepose.synthetic.clothing import Outfit, random_outfit
from kinepose.synthetic.clothing_mesh import ClothedMesh, make_clothed_mesh
from kinepose.synthetic.config import SceneConfig, SynthesizeConfig
from kinepose.synthetic.lighting import Light, random_light
from kinepose.synthetic.mannequin import mannequin_vertices, random_mannequin, render_mannequin
from kinepose.synthetic.renderer import Camera, Rendered, map_frames, render
from kinepose.synthetic.scene import Actor, random_backdrop, random_occluder
from kinepose.synthetic.skirt import hang_skirt
from kinepose.synthetic.styles import random_style
from kinepose.synthetic.textured_renderer import dress, pose_mesh, render_dressed

_CHUNK = 16
"""Frames rendered at once."""
_EXPOSURES = 3
"""Images that are averaged to one frame if the shutter stays open."""


def shoot(
    generator: np.random.Generator,
    config: SynthesizeConfig,
    actor: Actor,
    camera: Camera,
    moving: bool,
) -> Iterator[tuple[UInt8[np.ndarray, "size size 3"], Float[np.ndarray, "size size"]]]:
    """The frames of a video, and the share of each pixel that the person is seen in."""
    blur, noise = generator.uniform(*config.scene.blur), generator.uniform(*config.scene.noise)
    images = _images(generator, config, actor, camera, moving)
    exposures = _EXPOSURES if config.scene.shutter > 0 else 1
    for moments in zip(*[images] * exposures, strict=True):
        image, mask = (np.mean(values, axis=0) for values in zip(*moments, strict=True))
        if config.appearance != "render":
            image = cv2.GaussianBlur(image, (0, 0), blur)
            grain = generator.standard_normal(image.shape, dtype=np.float32)
            image = cv2.scaleAdd(grain, noise, image)
        yield np.clip(image + 0.5, 0, 255).astype(np.uint8), mask


def _images(
    generator: np.random.Generator,
    config: SynthesizeConfig,
    actor: Actor,
    camera: Camera,
    moving: bool,
) -> Iterator[tuple[Float[np.ndarray, "size size 3"], Float[np.ndarray, "size size"]]]:
    """Images without blur and grain, and masks, of each moment that the video is exposed."""
    light = random_light(generator, config.appearance, config.scene)
    moves, paint = _painter(generator, config, actor, light)
    if config.scene.shutter > 0:
        expose = partial(_moments, shutter=config.scene.shutter)
        moves, camera = tuple(map(expose, moves)), map_frames(camera, expose)
    behind = random_backdrop(generator, camera, moving, config.scene).frames()
    before = None
    if generator.random() < config.scene.occluders:
        before = random_occluder(generator, camera, moving).frames()
    for start in range(0, len(moves[0]), _CHUNK):
        part = slice(start, start + _CHUNK)
        view = map_frames(camera, itemgetter(part))
        rendered = paint(*(each[part] for each in moves), camera=view)
        for frame, mask in enumerate(rendered.mask.numpy()):
            image = _compose(rendered, frame, next(behind), light.shadow)
            if before is not None:
                image, mask = _hide(image, mask, next(before))
            yield image, mask


Moves = tuple[Float[Tensor, "frames ..."], ...]


def _painter(
    generator: np.random.Generator, config: SynthesizeConfig, actor: Actor, light: Light
) -> tuple[Moves, Callable[..., Rendered]]:
    """What of a video's person changes with time, and what paints some frames of it."""
    if config.appearance == "foreign":
        mannequin = random_mannequin(generator)
        return (mannequin_vertices(actor, mannequin.girth),), partial(
            render_mannequin, mannequin=mannequin, light=light
        )
    if config.appearance == "dressed":
        return dressed_painter(generator, actor, config.scene, light)
    outfit = random_outfit(generator, config.appearance, config.scene)
    clothed_mesh, vertices = dressed(actor, outfit)
    return (vertices,), partial(render, clothed_mesh=clothed_mesh, outfits=[outfit], lights=[light])


def dressed_painter(
    generator: np.random.Generator, actor: Actor, scene: SceneConfig, light: Light
) -> tuple[Moves, Callable[..., Rendered]]:
    """The same of someone with textured skin, hair and clothes: bones, and where the head is.

    Vertices are linear in them, so that what lies between two frames lies between these.
    """
    style = random_style(generator, actor.person, scene)
    mesh = dress(style, shape_coefficients(load_body(), actor.person))
    heads = torch.lerp(actor.joints[:, 8], actor.joints[:, 10], 0.62)

    def paint(
        bones: Float[Tensor, "frames bones 4 4"], heads: Float[Tensor, "frames 3"], camera: Camera
    ) -> Rendered:
        return render_dressed(mesh, pose_mesh(mesh, bones), heads, style, light, camera)

    return (actor.bones, heads), paint


def dressed(actor: Actor, outfit: Outfit) -> tuple[ClothedMesh, Float[Tensor, "frames vertices 3"]]:
    """The mesh to render: the body, and the skirt if there is one."""
    body = load_body()
    if outfit.skirt is None:
        return make_clothed_mesh(body), actor.vertices
    skirt = hang_skirt(body, actor.vertices, actor.joints, outfit.skirt)
    clothed_mesh = make_clothed_mesh(body, outfit.skirt.covering)
    return clothed_mesh, torch.cat([actor.vertices, skirt], dim=1)


def _compose(
    rendered: Rendered, frame: int, background: UInt8[np.ndarray, "size size 3"], shadow: float
) -> Float[np.ndarray, "size size 3"]:
    """The person before the background, a soft shadow on the floor [0 to 255]."""
    dark = cv2.GaussianBlur(rendered.shadow[frame].numpy(), (0, 0), 1 + len(background) / 128)
    seen = (1 - rendered.mask[frame].numpy()) * (1 - 0.7 * shadow * dark)
    return cv2.scaleAdd(rendered.colour[frame].numpy(), 255, background * cv2.merge((seen,) * 3))


def _hide(
    image: Float[np.ndarray, "size size 3"],
    mask: Float[np.ndarray, "size size"],
    before: UInt8[np.ndarray, "size size 4"],
) -> tuple[Float[np.ndarray, "size size 3"], Float[np.ndarray, "size size"]]:
    """What is left of an image and a mask behind an object."""
    left = 1 - before[..., 3].astype(np.float32) / 255
    return image * left[..., None] + before[..., :3] * (1 - left[..., None]), mask * left


def _moments(
    values: Float[Tensor, "frames *more"], shutter: float
) -> Float[Tensor, "moments *more"]:
    """Values at the beginning, the middle and the end of each frame's exposure."""
    following = torch.cat([values[1:], values[-1:]])
    previous = torch.cat([values[:1], values[:-1]])
    moments = (torch.lerp(values, other, shutter / 2) for other in (previous, values, following))
    return torch.stack(list(moments), dim=1).flatten(0, 1)


def detect(
    generator: np.random.Generator, mask: Float[np.ndarray, "size size"]
) -> Float[np.ndarray, "4"] | None:
    """A detector's box (x0, y0, x1, y1) [px]: tight but for some jitter, now and then missing."""
    jitter, missed = generator.normal(0, 0.012, 4), generator.random() < 0.01
    rows, columns = np.nonzero((mask > 0.5).any(1))[0], np.nonzero((mask > 0.5).any(0))[0]
    if missed or len(rows) == 0:
        return None
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
    box += jitter * max(box[2] - box[0], box[3] - box[1])
    return np.clip(box, 0, len(mask))
