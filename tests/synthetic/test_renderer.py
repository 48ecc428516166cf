from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.synthetic.body import RIG, Person, load_body, pose_body, random_person
from kinepose.synthetic.clothing import Covering, Material, Outfit, random_outfit
from kinepose.synthetic.clothing_mesh import ClothedMesh, clothed_mesh_of, make_clothed_mesh
from kinepose.synthetic.config import MotionConfig, SceneConfig
from kinepose.synthetic.joint_limits import from_swing_twist
from kinepose.synthetic.lighting import Light, random_light
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.renderer import Camera, Rendered, look_at, render, to_camera, to_image
from kinepose.synthetic.scene import place

REST = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(1, 13, 1)
ADULT = Person(0.5, 0.67, 0.5, 0.5, 0.5, 0.5)


def random_cameras(frames: int, height: int, width: int, seed: int = 0) -> Camera:
    """All around a person at the origin, tilted and rolled."""
    generator = torch.Generator().manual_seed(seed)
    position = torch.randn(frames, 3, generator=generator)
    position = 4 * position / position.norm(dim=-1, keepdim=True)
    target = 0.2 * torch.randn(frames, 3, generator=generator)
    roll = torch.randn(frames, generator=generator)
    focal = height * (1 + torch.rand(frames, generator=generator))
    return Camera(look_at(position, target, roll), position, focal, height, width)


def front_camera(height: int, width: int) -> Camera:
    """4 m before a person at rest, who looks along -y."""
    position = torch.tensor([[0.0, -4.0, 0.0]])
    rotation = look_at(position, torch.zeros(1, 3), torch.zeros(1))
    return Camera(rotation, position, torch.tensor([1.9 * height]), height, width)


def standing() -> torch.Tensor:
    """The vertices of someone at rest, feet on the floor."""
    vertices, _ = pose_body(load_body(), ADULT, REST)
    return vertices - torch.tensor([0.0, 0.0, float(vertices[..., 2].min())])


def painted(**colours: tuple[float, float, float]) -> Outfit:
    """Clothes that lie on the skin, white but for those named."""
    outfit = random_outfit(np.random.default_rng(0), "render", SceneConfig())
    white = (1.0, 1.0, 1.0)
    materials = [Material(colours.get(covering.name.lower(), white)) for covering in Covering]
    return replace(outfit, materials=tuple(materials), cut=replace(outfit.cut, hat=10.0))


def even_light() -> Light:
    light = random_light(np.random.default_rng(0), "render", SceneConfig())
    return replace(light, sun=(0.0, 0.0, 0.0), sky=(1.0, 1.0, 1.0), ground=(1.0, 1.0, 1.0))


def shoot(vertices: torch.Tensor, clothed_mesh: ClothedMesh, camera: Camera) -> Rendered:
    """All in white, in even light."""
    return render(vertices, clothed_mesh, [painted()], [even_light()], camera)


def squares(*depths: float) -> tuple[torch.Tensor, ClothedMesh]:
    """Squares from (10, 6) to (20, 14) px in the image of a camera of focal length 100 px.

    That is at the origin, looks along y and has 40 px a side. The first square is bare skin, the
    others are hats.
    """
    vertices, faces, places = [], [], []
    for index, depth in enumerate(depths):
        start = 4 * index
        corners = [(10, 6), (10, 14), (20, 14), (20, 6)]
        vertices += [((x - 20) / 100 * depth, depth, (20 - y) / 100 * depth) for x, y in corners]
        faces += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
        places += 4 * [(0.0, 0.0, 0.0, 9.0) if index == 0 else (0.0, 0.0, 20.0, -1.0)]
    clothed_mesh = clothed_mesh_of(torch.tensor(faces, dtype=torch.int32), torch.tensor(places))
    return torch.tensor([vertices]), clothed_mesh


def along_y() -> Camera:
    rotation = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]])
    return Camera(rotation, torch.zeros(1, 3), torch.tensor([100.0]), 40, 40)


def opencv_pixels(camera: Camera, points: torch.Tensor, frame: int) -> np.ndarray:
    """OpenCV's projection, in whose pixels centres are whole numbers; hence the half pixel."""
    focal = float(camera.focal[frame])
    centre = camera.width / 2 - 0.5, camera.height / 2 - 0.5
    matrix = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    rotation = camera.rotation[frame].double().numpy()
    shift = -rotation @ camera.position[frame].double().numpy()
    turn = cv2.Rodrigues(rotation)[0]
    projected, _ = cv2.projectPoints(points.double().numpy(), turn, shift, matrix, None)
    return projected[:, 0] + 0.5


def test_joints_are_where_opencv_projects_them():
    camera = random_cameras(20, height=240, width=320)
    points = torch.randn(20, 17, 3, generator=torch.Generator().manual_seed(1)) * 0.6
    seen = to_image(camera, to_camera(camera, points))
    for frame in range(20):
        expected = opencv_pixels(camera, points[frame], frame)
        assert np.abs(seen[frame].numpy() - expected).max() < 1e-3


def test_look_at_shows_the_target_in_the_middle_upright_and_not_mirrored():
    camera = front_camera(48, 64)
    points = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [0.5, 0.0, 0.0]]])
    middle, top, left = to_image(camera, to_camera(camera, points))[0]
    torch.testing.assert_close(middle, torch.tensor([32.0, 24.0]))
    assert top[1] < middle[1] and left[0] > middle[0], "who faces us has the left on our right"
    rotations = random_cameras(8, 32, 32).rotation
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(8))
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand(8, 3, 3))


def test_a_square_covers_exactly_its_pixels():
    vertices, clothed_mesh = squares(3.0)
    rendered = shoot(vertices, clothed_mesh, along_y())
    expected = torch.zeros(40, 40)
    expected[6:14, 10:20] = 1.0
    assert torch.equal(rendered.mask[0], expected)
    torch.testing.assert_close(rendered.colour[0], expected[..., None].expand(40, 40, 3))


@pytest.mark.parametrize("depths", [(2.0, 3.0), (3.0, 2.0)])
def test_the_nearer_surface_hides_the_other(depths):
    vertices, clothed_mesh = squares(*depths)
    outfit = painted(skin=(1.0, 0.0, 0.0), hat=(0.0, 1.0, 0.0))
    rendered = render(vertices, clothed_mesh, [outfit], [even_light()], along_y())
    red, green, _ = rendered.colour[0, 10, 15].tolist()
    assert (red > green) == (depths[0] < depths[1])


def test_faces_are_seen_from_their_front_and_bodies_are_closed():
    vertices, clothed_mesh = squares(3.0)
    turned = clothed_mesh_of(clothed_mesh.faces.flip(1), clothed_mesh.places)
    assert shoot(vertices, turned, along_y()).mask.max() == 0
    faces = load_body().faces.long()
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert sorted(map(tuple, edges.tolist())) == sorted(map(tuple, edges.flip(1).tolist()))


def test_what_is_behind_the_camera_is_not_seen():
    vertices, clothed_mesh = squares(-3.0)
    assert shoot(vertices, clothed_mesh, along_y()).mask.max() == 0


def test_the_mask_is_that_of_a_naive_rasteriser():
    body = load_body()
    camera = random_cameras(1, height=20, width=24)
    generator = np.random.default_rng(0)
    pose = from_swing_twist(torch.from_numpy(generator.normal(0, 0.4, (1, 13, 3))).float())
    vertices, _ = pose_body(body, ADULT, pose)
    mask = shoot(vertices, make_clothed_mesh(body), camera).mask[0].numpy()

    corners = opencv_pixels(camera, vertices[0], 0)[body.faces.long().numpy()]
    samples = np.zeros((40, 48))
    for row, column in np.ndindex(40, 48):
        to_corner = corners - np.array([column + 0.5, row + 0.5]) / 2
        following = np.roll(to_corner, -1, axis=1)
        side = to_corner[..., 0] * following[..., 1] - to_corner[..., 1] * following[..., 0]
        samples[row, column] = ((side >= 0).all(1) | (side <= 0).all(1)).any()
    naive = samples.reshape(20, 2, 24, 2).mean((1, 3))
    assert naive.max() == 1.0 and naive.min() == 0.0
    assert np.abs(mask - naive).max() <= 0.25, "one of four samples, at an edge"
    assert (mask != naive).sum() <= 3


def test_joints_lie_on_the_person():
    generator = np.random.default_rng(0)
    clothed_mesh = make_clothed_mesh(load_body())
    inside = []
    for seed in range(6):
        motion = random_motion(generator, 6, 2.0, MotionConfig())
        actor = place(motion, random_person(generator), fps=2.0)
        camera = random_cameras(6, height=64, width=64, seed=seed)
        pelvis = actor.joints[:, 0]
        camera = Camera(camera.rotation, camera.position + pelvis, camera.focal, 64, 64)
        outfit, light = (
            random_outfit(generator, "video", SceneConfig()),
            random_light(generator, "video", SceneConfig()),
        )
        rendered = render(actor.vertices, clothed_mesh, [outfit], [light], camera)
        pixels = to_image(camera, to_camera(camera, actor.joints)).floor().long().numpy()
        for mask, joints in zip(rendered.mask.numpy(), pixels, strict=True):
            grown = cv2.dilate((mask > 0.5).astype(np.uint8), np.ones((5, 5), np.uint8))
            x, y = joints[((joints >= 0) & (joints < 64)).all(1)].T
            inside.append(grown[y, x])
    inside = np.concatenate(inside)
    assert len(inside) > 400
    assert inside.mean() > 0.995


@pytest.mark.parametrize("side", ["left", "right"])
def test_left_is_left_in_images_too(side):
    """Whoever faces the camera and lifts the left arm sideways lifts it on the right of the
    image, the mask and the joints alike."""
    camera, clothed_mesh = front_camera(48, 48), make_clothed_mesh(load_body())
    lifted = REST.clone()
    outward = -1.4 if side == "left" else 1.4
    lifted[0, RIG.index(f"{side}_shoulder")] = from_swing_twist(torch.tensor([0.0, outward, 0.0]))
    masks, wrists = [], []
    for pose in (REST, lifted):
        vertices, joints = pose_body(load_body(), ADULT, pose)
        masks.append(shoot(vertices, clothed_mesh, camera).mask[0])
        seen = to_image(camera, to_camera(camera, joints))
        wrists.append(seen[0, JOINT_NAMES.index(f"{side}_wrist"), 0] - 24)
    rows, columns = torch.nonzero((masks[1] - masks[0]) > 0.5).unbind(-1)
    sign = 1 if side == "left" else -1
    assert len(columns) > 15
    assert ((columns - 24) * sign > 0).all()
    assert sign * wrists[0] > 0 and sign * (wrists[1] - wrists[0]) > 5
    assert rows.max() < 24, "the arm is lifted, not lowered"


def test_the_left_arm_is_where_the_left_arms_vertices_are_painted():
    """Painted by vertices alone: only faces of the left forearm are drawn."""
    body = load_body()
    camera = random_cameras(4, 48, 48)
    generator = np.random.default_rng(1)
    pose = from_swing_twist(torch.from_numpy(generator.normal(0, 0.4, (4, 13, 3))).float())
    vertices, joints = pose_body(body, ADULT, pose)
    bones = [i for i, bone in enumerate(body.bones) if bone.startswith("lowerarm")]
    bones = [i for i in bones if body.bones[i].endswith(".L")]
    forearm = torch.isin(body.dominant_bone, torch.tensor(bones))
    faces = body.faces[forearm[body.faces.long()].all(1)]
    clothed_mesh = clothed_mesh_of(faces, make_clothed_mesh(body).places)
    masks = shoot(vertices, clothed_mesh, camera).mask
    seen = to_image(camera, to_camera(camera, joints))
    grid = torch.stack(torch.meshgrid(torch.arange(48), torch.arange(48), indexing="xy"), -1) + 0.5
    for mask, joint in zip(masks, seen, strict=True):
        middle = (grid * mask[..., None]).sum((0, 1)) / mask.sum()
        expected = (joint[JOINT_NAMES.index("left_elbow")] + joint[13]) / 2
        assert (middle - expected).norm() < 2.5


def test_light_from_the_left_brightens_the_left():
    vertices, camera = standing() - torch.tensor([0.0, 0.0, 0.8]), front_camera(64, 64)
    light = replace(
        even_light(),
        direction=(0.8, -0.52, 0.3),
        sun=(0.5, 0.5, 0.5),
        sky=(0.1, 0.1, 0.1),
        ground=(0.1, 0.1, 0.1),
    )
    rendered = render(vertices, make_clothed_mesh(load_body()), [painted()], [light], camera)
    grey, mask = rendered.colour[0].mean(-1), rendered.mask[0]
    columns = torch.arange(64).expand(64, 64)
    right_half, left_half = (mask > 0.99) & (columns > 32), (mask > 0.99) & (columns < 31)
    assert grey[right_half].mean() > 1.3 * grey[left_half].mean()


def test_the_shadow_lies_on_the_floor_from_the_feet_away_from_the_sun():
    vertices, clothed_mesh = standing(), make_clothed_mesh(load_body())
    position, target = torch.tensor([[0.0, -2.0, 6.0]]), torch.zeros(1, 3)
    rotation = look_at(position, target, torch.zeros(1))
    camera = Camera(rotation, position, torch.tensor([80.0]), 64, 64)
    light = replace(even_light(), direction=(0.6, 0.0, 0.8))
    shadow = render(vertices, clothed_mesh, [painted()], [light], camera).shadow[0]
    head = vertices[0, vertices[0, :, 2].argmax()]
    ends = torch.stack([vertices[0].mean(0) * torch.tensor([1.0, 1.0, 0.0]), head])
    ends[1] = torch.tensor([head[0] - head[2] * 0.6 / 0.8, head[1], 0.0])
    feet, tip = to_image(camera, to_camera(camera, ends[None]))[0]
    rows, columns = torch.nonzero(shadow).unbind(-1)
    assert columns.min() + 0.5 == pytest.approx(float(tip[0]), abs=2)
    assert columns.max() + 0.5 == pytest.approx(float(feet[0]), abs=5)
    assert rows.float().mean() + 0.5 == pytest.approx(float(feet[1]), abs=3)


def test_each_frame_has_its_own_clothes_and_camera():
    """A batch of frames is the same as its frames alone."""
    generator = np.random.default_rng(0)
    clothed_mesh = make_clothed_mesh(load_body())
    camera = random_cameras(3, 24, 24)
    vertices, _ = pose_body(load_body(), ADULT, REST.expand(3, 13, 4))
    outfits = [random_outfit(generator, "video", SceneConfig()) for _ in range(3)]
    lights = [random_light(generator, "video", SceneConfig()) for _ in range(3)]
    batch = render(vertices, clothed_mesh, outfits, lights, camera)
    for i in range(3):
        part = slice(i, i + 1)
        view = Camera(camera.rotation[part], camera.position[part], camera.focal[part], 24, 24)
        alone = render(vertices[part], clothed_mesh, outfits[part], lights[part], view)
        torch.testing.assert_close(alone.colour[0], batch.colour[i], atol=2e-3, rtol=0)
        assert torch.equal(alone.mask[0], batch.mask[i])
    assert (batch.colour[0] - batch.colour[1]).abs().max() > 0.1
