from dataclasses import replace

import numpy as np
import pytest
import torch

from kinepose.synthetic.body import load_body
from kinepose.synthetic.clothing import Covering, Pattern, random_outfit
from kinepose.synthetic.clothing_mesh import make_clothed_mesh
from kinepose.synthetic.config import SceneConfig
from kinepose.synthetic.lighting import Light, random_light


def test_places_run_along_the_arms_from_shoulder_to_wrist():
    body, clothed_mesh = load_body(), make_clothed_mesh(load_body())
    along = clothed_mesh.places[:, 3]
    for bone, (low, high) in {"upperarm02.L": (0.15, 1.1), "lowerarm02.R": (1.3, 2.1)}.items():
        on_bone = along[body.dominant_bone == body.bones.index(bone)]
        assert low < on_bone.min() and on_bone.max() < high
    trunk = body.dominant_bone == body.bones.index("spine02")
    assert (along[trunk] == -1).all()


def test_faces_around_a_vertex_are_those_that_touch_it():
    clothed_mesh = make_clothed_mesh(load_body())
    for vertex in (0, 17, len(clothed_mesh.places) - 1):
        around = clothed_mesh.faces_of_vertices[
            clothed_mesh.starts[vertex] : clothed_mesh.starts[vertex + 1]
        ]
        touching = torch.nonzero((clothed_mesh.faces == vertex).any(1)).squeeze(1)
        assert sorted(around.tolist()) == touching.tolist()


def test_outfits_and_lights_differ_and_come_back_with_their_seed():
    def draw(seed: int) -> list:
        generator = np.random.default_rng(seed)
        return [
            (
                random_outfit(generator, "video", SceneConfig()),
                random_light(generator, "video", SceneConfig()),
            )
            for _ in "abc"
        ]

    assert draw(0) == draw(0)
    assert len(set(draw(0) + draw(1))) == 6


def test_renders_look_unlike_videos():
    generator = np.random.default_rng(0)
    renders = [random_outfit(generator, "render", SceneConfig()) for _ in range(20)]
    videos = [random_outfit(generator, "video", SceneConfig()) for _ in range(20)]
    for outfit in renders:
        assert all(material.pattern == Pattern.PLAIN for material in outfit.materials)
        assert outfit.materials[Covering.TOP].wrinkles == 0
    patterns = {outfit.materials[Covering.TOP].pattern for outfit in videos}
    assert patterns == set(Pattern)
    assert (
        random_light(generator, "render", SceneConfig()).shadow
        == 0
        < random_light(generator, "video", SceneConfig()).shadow
    )


def test_light_is_as_the_settings_say():
    def light(**settings: object) -> Light:
        plain = SceneConfig(sun=(30.0, 30.0), softness=(0.0, 0.0), warmth=0.0, exposure=(1.0, 1.0))
        return random_light(np.random.default_rng(0), "video", replace(plain, **settings))

    plain, high = light(), light(sun=(90.0, 90.0))
    assert plain.direction[2] == pytest.approx(0.5) and high.direction[2] == pytest.approx(1.0)
    assert len(set(plain.sun)) == len(set(plain.sky)) == 1, "grey"
    bright = light(exposure=(2.0, 2.0))
    assert bright.sun == pytest.approx([2 * each for each in plain.sun])
    tinted = light(warmth=0.3)
    assert (tinted.sun[0] - tinted.sun[2]) * (tinted.sky[2] - tinted.sky[0]) > 0
    overcast = light(softness=(1.0, 1.0))
    assert overcast.shadow < plain.shadow == 1.0
    assert overcast.sun[0] < plain.sun[0] and overcast.sky[0] > plain.sky[0]


def test_colours_are_colours():
    generator = np.random.default_rng(0)
    for _ in range(200):
        for material in random_outfit(generator, "video", SceneConfig()).materials:
            for colour in (material.colour, material.second_colour):
                assert min(colour) >= 0 and max(colour) <= 1.05
