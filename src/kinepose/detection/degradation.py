"""What cameras and compression do to an image."""

import functools

import cv2
import numpy as np
from jaxtyping import UInt8

_NOISE_SIDE = 1024

Image = UInt8[np.ndarray, "_ _ 3"]


def degraded(generator: np.random.Generator, image: Image) -> Image:
    """Some of: other brightness, no colours, few pixels, blur, motion blur, noise, JPEG."""
    levels = np.linspace(0, 1, 256) ** np.exp(generator.normal(0, 0.35))
    image = cv2.LUT(image, (255 * levels).astype(np.uint8))
    if generator.random() < 0.1:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if generator.random() < 0.2:
        image = _from_fewer_pixels(image, generator.uniform(1.2, 3.0))
    if generator.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), generator.uniform(0.4, 1.3))
    elif generator.random() < 0.12:
        image = _moved(image, int(generator.integers(3, 10)), generator.uniform(0, np.pi))
    if generator.random() < 0.6:
        image = _noisy(generator, image, generator.uniform(1, 10))
    if generator.random() < 0.4:
        quality = int(generator.integers(20, 95))
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return image


def _from_fewer_pixels(image: Image, factor: float) -> Image:
    side = len(image)
    small = cv2.resize(image, (round(side / factor),) * 2, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)


def _moved(image: Image, length: int, angle: float) -> Image:
    """As a camera sees it that moves so many px while its shutter is open."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    reach = middle * np.array([np.cos(angle), np.sin(angle)])
    first, last = (np.round(middle + sign * reach).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, first, last, (1.0,))
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _noisy(generator: np.random.Generator, image: Image, strength: float) -> Image:
    """With a random part of one large image of noise, this strong [0 to 255]."""
    side = len(image)
    top, left = generator.integers(_NOISE_SIDE - side + 1, size=2)
    noise = _noise()[top : top + side, left : left + side]
    return cv2.addWeighted(image, 1.0, noise, strength / 32, -strength * 4, dtype=cv2.CV_8U)


@functools.cache
def _noise() -> UInt8[np.ndarray, "noise noise 3"]:
    """The same in every run: around 128, with a standard deviation of 32."""
    shape = (_NOISE_SIDE, _NOISE_SIDE, 3)
    noise = np.random.default_rng(0).normal(128, 32, shape)
    return noise.clip(0, 255).astype(np.uint8)
