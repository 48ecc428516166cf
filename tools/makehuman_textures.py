"""MakeHuman's images of skin, hair and cloth, made ready to be reduced and compressed."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool
from scipy.ndimage import distance_transform_edt
from tools.makehuman import ObjMesh

from kinepose.io.errors import BadInputError

_TEXTURE = 512
"""Side of all textures [px]."""
_OTHER_LAYOUT = ("male_worksuit01",)
"""Garments whose images were painted for other texture coordinates than their mesh has."""


def texture_of(path: Path) -> np.ndarray:
    """The colours of a garment, darkened in its folds where there is an image of these."""
    found = sorted(path.parent.glob("*diffuse.png"))
    if not found or path.stem in _OTHER_LAYOUT:
        return np.full((_TEXTURE, _TEXTURE, 3), 128, np.uint8)
    colour = read_image(found[0])
    folds = sorted(path.parent.glob("*_ao.png"))
    if folds:
        shade = 0.5 + 0.5 * read_image(folds[0])[..., :3].astype(np.float32) / 255
        colour[..., :3] = (colour[..., :3] * shade).astype(np.uint8)
    return colour


def covered(mesh: ObjMesh) -> Bool[np.ndarray, "side side"]:
    """Where a mesh shows its texture."""
    shown = np.zeros((_TEXTURE, _TEXTURE), np.uint8)
    corners = (mesh.texture[mesh.face_texture] * _TEXTURE - 0.5).round().astype(np.int32)
    for triangle in corners:
        cv2.fillConvexPoly(shown, triangle, 1)
    return shown > 0


def bleed(image: np.ndarray, shown: Bool[np.ndarray, "side side"]) -> np.ndarray:
    """The image with what no face shows in the colour of what is nearest and shown."""
    rows, columns = distance_transform_edt(~shown, return_distances=False, return_indices=True)
    return np.ascontiguousarray(image[rows, columns])


def brightness(image: np.ndarray, mesh: ObjMesh) -> np.ndarray:
    """Mean luminance of what is shown."""
    shown = covered(mesh)
    if image.shape[2] == 4:
        shown &= image[..., 3] > 127
    grey = cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_BGR2GRAY)
    return np.array(grey[shown].mean() / 255, dtype=np.float32)


def read_image(path: Path) -> np.ndarray:
    """A square image in blue, green, red and maybe transparency."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise BadInputError(f"{path} is no image")
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if image.shape[2] == 4 and image[..., 3].min() == 255:
        image = np.ascontiguousarray(image[..., :3])
    if image.shape[:2] == (_TEXTURE, _TEXTURE):
        return image
    return cv2.resize(image, (_TEXTURE, _TEXTURE), interpolation=cv2.INTER_AREA)
