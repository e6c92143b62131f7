"""Pictures that training never saw the like of, restored by each arm.

    python examples/ood_gain/sheet.py FOLDER [--restorer nafnet] [--test ood] [--seed 0]

Writes FOLDER/report/RESTORER-TEST.png: a row for each degradation, of the pair whose measured mu is
in the middle; columns are the degraded picture, what each arm makes of it, and the clean one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from experiment import ARMS, RESTORERS, TESTS, Model
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from gends import PairDataset
from gends.models.degrader import Image
from gends.models.restorers.architectures import Restorer, load

GAP, CAPTION = 6, 16
INK = (30, 30, 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--restorer", choices=RESTORERS, default=RESTORERS[0])
    parser.add_argument("--test", choices=TESTS, default=TESTS[-1])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = [Model(arm=arm, restorer=options.restorer, seed=options.seed).name for arm in ARMS]
    restorers = [load(options.folder / "runs" / name / "result") for name in names]
    rows = [
        (name, [lq, *(restored(restorer, lq) for restorer in restorers), gt])
        for name, lq, gt in middling(options.folder / "data" / options.test)
    ]
    path = options.folder / "report" / f"{options.restorer}-{options.test}.png"
    path.parent.mkdir(exist_ok=True)
    draw(rows, ["degraded", *ARMS, "clean"]).save(path)
    print(path)


def middling(root: Path) -> list[tuple[str, Image, Image]]:
    """Degradation, degraded and clean picture of its pair of median mu, for each degradation."""
    pairs = PairDataset(str(root))
    kinds = np.array(pairs.rows["degradation"].to_pylist())
    mu = pairs.rows["mu"].to_numpy()
    found = []
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        item = pairs[int(members[np.argsort(mu[members])[len(members) // 2]])]
        found.append((str(kind), item["lq"], item["gt"]))
    return found


@torch.inference_mode()
def restored(restorer: Restorer, lq: Image) -> Image:
    """What a restorer makes of a picture, rounded to 8 bits."""
    given = torch.from_numpy(lq).permute(2, 0, 1)[None] / 255
    made = restorer(given)[0].clamp(0, 1).permute(1, 2, 0)
    return np.asarray((made * 255).round().to(torch.uint8))


def draw(rows: Sequence[tuple[str, Sequence[Image]]], heads: Sequence[str]) -> Pillow.Image:
    """A sheet with a caption above each row and each column."""
    side = rows[0][1][0].shape[0]
    width, height = GAP + len(heads) * (side + GAP), CAPTION + len(rows) * (side + CAPTION + GAP)
    sheet = Pillow.new("RGB", (width, height + GAP), "white")
    font, pen = ImageFont.load_default(CAPTION - 4), ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        left = GAP + column * (side + GAP)
        pen.text((left, 0), head, INK, font)
        for line, (name, pictures) in enumerate(rows):
            top = CAPTION + line * (side + CAPTION + GAP)
            if column == 0:
                pen.text((left, top), name.replace("_", " "), INK, font)
            sheet.paste(Pillow.fromarray(pictures[column]), (left, top + CAPTION))
    return sheet


if __name__ == "__main__":
    main()
