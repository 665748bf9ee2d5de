"""Text of the console can be read: contrast AA (4.5) in both themes, wherever it stands."""

import re
from itertools import product

import pytest

from tests.processes import ROOT

CSS = (ROOT / "gateway/console/static/frame.css").read_text()
AA = 4.5
PLACES = ("page", "surface", "raised", "sunk")
TEXTS = ("text", "soft", "faint", "accent", "amber", "red", "teal", "blue", "violet", "green")
ON_WASH = [
    ("accent", "wash"),
    ("red", "bad-wash"),
    ("amber", "warn-wash"),
    ("on-accent", "accent"),
]
WASHES = [*ON_WASH, *product(("text", "soft", "faint"), ("wash", "bad-wash", "warn-wash"))]


def colours(theme):
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS)
    found = {name: pair[theme] for name, *pair in pairs}
    return found | {"accent": found["teal"]}


def luminance(colour):
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, two):
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast_on_every_ground(theme):
    known = colours(theme)
    pairs = [*product(TEXTS, PLACES), *WASHES]
    poor = {
        f"{text} on {ground}": round(contrast(known[text], known[ground]), 2)
        for text, ground in pairs
        if contrast(known[text], known[ground]) < AA
    }
    assert poor == {}
