"""Draws curves with matplotlib, in the environment of the peers: ``draw_curves.py FOLDER``.

Input is a list of ``{"file", "title", "x", "lines": {NAME: [[x, y], …]}}``.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def main(folder: str) -> None:
    """Draw each curve into a file of its own."""
    for curve in json.load(sys.stdin):
        figure, axes = pyplot.subplots(figsize=(7, 4.5))
        for name, points in curve["lines"].items():
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set(xscale="log", yscale="log", title=curve["title"], xlabel=curve["x"])
        axes.grid(alpha=0.3, which="both")
        axes.legend()
        figure.tight_layout()
        figure.savefig(Path(folder) / curve["file"], dpi=110)
        pyplot.close(figure)


if __name__ == "__main__":
    main(sys.argv[1])
