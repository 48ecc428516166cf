"""The paper's figures 2A, 3 and 4 of a scored run, and its energy against its error, as PNG files.

Reads what `score` wrote; no model is loaded.
"""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from kinepose.evaluation.metrics import rank_correlation
from kinepose.evaluation.scored import FAILURES_FROM, ScoredRun, read_scored
from kinepose.io.files import check_folder, replacing
from kinepose.paper.config import FiguresConfig
from kinepose.visualization import charts, image_grids

LETTERS = 20
"""Of the page of poses, to be read at the width of a printed page [px]."""
DOTS_PER_INCH = 200
"""Of charts."""


def draw_figures(config: FiguresConfig) -> None:
    """Write fig2_maps.png and fig4_poses.png; of a run with a decoder also the other two.

    These are fig3_transfer.png and energy.png; where they are not drawn, a line says so.

    Raises:
        BadInputError: if the file is not what `score` wrote, or images cannot be written.
    """
    check_folder(config.output)
    scored = read_scored(config.scores)
    pages = {"fig2_maps": maps_page(scored), "fig4_poses": poses_page(scored)}
    lacking = []
    if len(scored.transfers.transfers):
        pages["fig3_transfer"] = image_grids.transfer_grid(**vars(scored.transfers))
    else:
        lacking.append("fig3_transfer.png: no trained decoder, or no video with a background")
    if np.isfinite(scored.frames.energy).all():
        pages["energy"] = energy_chart(scored)
    else:
        lacking.append("energy.png: no trained decoder")
    for name, drawn in sorted(pages.items()):
        with replacing(config.output / f"{name}.png") as temporary:
            _save(drawn, temporary)
    print(f"{', '.join(f'{name}.png' for name in sorted(pages))} -> {config.output}")
    for reason in lacking:
        print(f"no {reason}")


def maps_page(scored: ScoredRun) -> image_grids.ImageArray:
    """The maps of the first example: the first split's frame at the least quantile of the error."""
    examples = scored.examples
    joints2d = scored.frames.joints2d[examples.row[0]]
    return image_grids.maps_of_an_image(examples.image[0], joints2d, examples.maps[0])


def poses_page(scored: ScoredRun) -> image_grids.ImageArray:
    """The paper's Fig. 4: a row a split, its frames at fixed quantiles of the P-MPJPE.

    None is chosen by hand; those at FAILURES_FROM and above are framed as failures.
    """
    frames, row = scored.frames, scored.examples.row
    shown = np.concatenate([frames.joints3d[row], scored.examples.true_joints3d])
    half_extent = 1.05 * float(np.abs(shown).max())
    quantiles = [f"{100 * quantile:g} %" for quantile in np.unique(scored.examples.quantile)]
    rule = [
        f"Of each split the frames at the quantiles {', '.join(quantiles)} of the P-MPJPE; "
        "framed: failures. Green: the truth.",
        "Above the image and the 2D joints, below the 3D joints as recorded and from the side.",
    ]
    rows = []
    for split in dict.fromkeys(frames.split[row].tolist()):
        blocks = [
            _pose_block(scored, example, half_extent)
            for example in np.flatnonzero(frames.split[row] == split).tolist()
        ]
        rows.append(
            image_grids.captioned(
                image_grids.beside(blocks), split.replace("_", " "), LETTERS, bold=True
            )
        )
    lines = [image_grids.heading(line, rows[0].shape[1], LETTERS) for line in rule]
    return image_grids.page([image_grids.stacked(lines, gap=0), *rows])


def _pose_block(scored: ScoredRun, example: int, half_extent: float) -> image_grids.ImageArray:
    """Image, 2D skeleton on it, and the 3D skeleton from two views, below the frame's error."""
    frames, shown = scored.frames, scored.examples
    row = shown.row[example]
    upper = [
        image_grids.cell(shown.image[example]),
        image_grids.joints_on_image(
            shown.image[example], frames.joints2d[row], shown.true_joints2d[example]
        ),
    ]
    lower = image_grids.two_views(frames.joints3d[row], half_extent, shown.true_joints3d[example])
    caption = (
        f"{100 * shown.quantile[example]:g} %:  {frames.p_mpjpe[row]:.0f} mm, "
        f"{frames.motion[row].replace('_', ' ')}"
    )
    block = image_grids.stacked([image_grids.beside(upper), image_grids.beside(lower)])
    failed = shown.quantile[example] >= FAILURES_FROM
    return image_grids.captioned(
        image_grids.framed(block, image_grids.FAILURE if failed else None), caption, LETTERS
    )


def energy_chart(scored: ScoredRun) -> Figure:
    """Energy against error, split by split, with Spearman's rho."""
    frames = scored.frames
    rho = {}
    for name in dict.fromkeys(frames.split.tolist()):
        rows = frames.split == name
        rho[name] = rank_correlation(frames.energy[rows], frames.p_mpjpe[rows])
    return charts.energy_against_error(frames.energy, frames.p_mpjpe, frames.split, rho)


def _save(drawn: image_grids.ImageArray | Figure, path: Path) -> None:
    if isinstance(drawn, Figure):
        drawn.savefig(path, dpi=DOTS_PER_INCH)
    else:
        path.write_bytes(cv2.imencode(".png", drawn[..., ::-1])[1].tobytes())
