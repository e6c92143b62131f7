"""How pictures and texts are laid out on a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from gends.models.degrader import Image
from gends.pipeline.reading.label_colours import colour_of, name_of

GAP = 6
CAPTION, TITLE = 16, 20
INK = (30, 30, 30)
SAMPLE = 12
"""Pixels a side of a colour in the key."""
MOST_LINES = 3
"""Of a recipe; what is longer ends in …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Pictures beside each other, with texts beneath."""

    pictures: Mapping[str, Image]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Entries under a title."""

    title: str
    entries: Sequence[Entry]


def draw(blocks: Sequence[Block], side: int, labels: Sequence[int]) -> Pillow.Image:
    """Lay blocks out, two to a line; pictures lie in squares of `side` pixels, uncropped.

    Beneath all comes a key to the colours of `labels`.
    """
    entries = [entry for block in blocks for entry in block.entries]
    width = max(len(entry.pictures) for entry in entries) * (side + GAP) + GAP
    room = width - 2 * GAP
    lines = {id(entry): list(_lines(entry, room)) for entry in entries}
    columns = 2 if len(blocks) > 1 else 1
    key = list(_key(labels, columns * width - GAP))
    # Blocks beside each other begin on one line; each line of blocks is as high as its highest.
    pairs = [blocks[i : i + columns] for i in range(0, len(blocks), columns)]
    heights = [max(_height(block, lines, side) for block in pair) for pair in pairs]
    bottom = GAP + sum(heights)
    key_height = (max(row for _, (_, row) in key) + 1) * CAPTION + GAP if key else 0
    sheet = Pillow.new("RGB", (columns * width, bottom + key_height), "white")
    for number, pair in enumerate(pairs):
        for column, block in enumerate(pair):
            corner = (column * width + GAP, GAP + sum(heights[:number]))
            _draw_block(sheet, block, lines, corner, side)
    pen = ImageDraw.Draw(sheet)
    for label, (left, row) in key:
        top = bottom + row * CAPTION
        box = (left, top, left + SAMPLE, top + SAMPLE)
        pen.rectangle(box, fill=colour_of(label), outline=INK)
        _write(sheet, (left + SAMPLE + GAP, top), name_of(label))
    return sheet


def _height(block: Block, lines: Mapping[int, Sequence[str]], side: int) -> int:
    texts = sum(len(lines[id(entry)]) for entry in block.entries)
    pictures = sum(_tallest(entry, side) + GAP for entry in block.entries)
    return GAP + TITLE + CAPTION * texts + pictures


def _tallest(entry: Entry, side: int) -> int:
    return max(_size(picture, side)[1] for picture in entry.pictures.values())


def _draw_block(
    sheet: Pillow.Image,
    block: Block,
    lines: Mapping[int, Sequence[str]],
    corner: tuple[int, int],
    side: int,
) -> None:
    left, top = corner
    _write(sheet, corner, block.title, CAPTION - 2)
    top += TITLE
    for entry in block.entries:
        for place, (part, picture) in zip(count(left, side + GAP), entry.pictures.items()):
            sheet.paste(_fitted(picture, side, exact=part == "mask"), (place, top))
        top += _tallest(entry, side)
        for line in lines[id(entry)]:
            _write(sheet, (left, top), line)
            top += CAPTION
        top += GAP


def _fitted(picture: Image, side: int, *, exact: bool) -> Pillow.Image:
    """The whole picture in a square, its longer side `side`; `exact` keeps its very colours."""
    how = Pillow.Resampling.NEAREST if exact else Pillow.Resampling.LANCZOS
    return Pillow.fromarray(picture).resize(_size(picture, side), how)


def _size(picture: Image, side: int) -> tuple[int, int]:
    """Width and height of a picture whose longer side is drawn with `side` pixels."""
    height, width, _ = picture.shape
    scale = side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _lines(entry: Entry, room: int) -> Iterator[str]:
    for text in entry.texts:
        wrapped = list(_wrapped(text, room))
        if len(wrapped) > MOST_LINES:
            wrapped = [*wrapped[: MOST_LINES - 1], wrapped[MOST_LINES - 1] + " …"]
        yield from wrapped


def _wrapped(text: str, room: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and _font().getlength(longer) > room:
            yield line
            longer = word
        line = longer
    yield line


def _key(labels: Sequence[int], room: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Where each label's colour and name stand: pixels from the left, and line."""
    left, row = GAP, 0
    for label in labels:
        width = SAMPLE + 3 * GAP + round(_font().getlength(name_of(label)))
        if left > GAP and left + width > room:
            left, row = GAP, row + 1
        yield label, (left, row)
        left += width


def _font(size: int = CAPTION - 4) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _write(
    sheet: Pillow.Image, corner: tuple[int, int], text: str, size: int = CAPTION - 4
) -> None:
    ImageDraw.Draw(sheet).text(corner, text, INK, _font(size))
