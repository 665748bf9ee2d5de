"""Writes metrics in Prometheus' text format, version 0.0.4; weir has only counters and gauges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Samples = Sequence[tuple[Labels, float]]


class Family(Struct, frozen=True):
    """A metric, with a sample (labels and a value) for each set of labels."""

    name: str
    kind: str
    help_text: str
    samples: Samples


def counter(name: str, help_text: str, values: Samples | float) -> Family:
    """Return a metric that only grows, with several samples or one value without labels."""
    return Family(name, "counter", help_text, _samples(values))


def gauge(name: str, help_text: str, values: Samples | float) -> Family:
    """Return a metric that rises and falls, with several samples or one value without labels."""
    return Family(name, "gauge", help_text, _samples(values))


def by(label: str, values: Mapping[str, float]) -> Samples:
    """Return a sample for each entry of `values`, with the key as the value of `label`."""
    return [({label: key}, value) for key, value in values.items()]


def exposition(families: Iterable[Family]) -> bytes:
    """Return the page for Prometheus; a metric without samples still has its HELP and TYPE."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {_escaped(family.help_text)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels, value in family.samples:
            lines.append(f"{family.name}{_braced(labels)} {value!r}")
    return "\n".join([*lines, ""]).encode()


def _samples(values: Samples | float) -> Samples:
    return [({}, values)] if isinstance(values, (int, float)) else values


def _braced(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
