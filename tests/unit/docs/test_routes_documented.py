"""Routes and metrics stand in the pages as they are in the code."""

import re
from pathlib import Path

from gateway.console import add_console
from gateway.monitor import metrics
from gateway.monitor.checkup import Diagnosis, ProcessorStatus
from gateway.monitor.survey import Survey
from gateway.relay import Endpoint
from gateway.relay.entrance import ResumeVerdict
from gateway.resources import add_native_routes
from gateway.streams.counts import Counts
from gateway.streams.evictions import Cause
from tests.fakes.posts import post_of, source_of
from tests.processes import ROOT
from tests.unit.docs.pages import named, rows, section

HTTP = ROOT / "docs" / "http.md"
OPERATIONS = ROOT / "docs" / "operations.md"
OWN = "✓"
ROUTED_IN = ("app.py", "own_routes.py")
METHODS = ("GET", "POST", "PATCH", "DELETE")


class Routes:
    """Takes routes in place of a Falcon application."""

    def __init__(self):
        self.resources = {}

    def add_route(self, path, resource):
        self.resources[path] = resource


def native():
    app = Routes()
    add_native_routes(app, None, "/")
    return app.resources


def own():
    """The paths of weir's own routes; of the files of the console the shortest stands for all."""
    app = Routes()
    add_console(app, at_root=True)
    files = "/weir/console/static/{version}/"
    console = {
        path for path in app.resources if not path.startswith(files) or path.count("/") == 5
    }
    in_the_worker = set()
    for file in filter(Path.exists, (ROOT / "gateway" / name for name in ROUTED_IN)):
        in_the_worker |= set(re.findall(r'"(/[a-z/{}]+)"', file.read_text()))
    in_the_worker -= {"/weir", "/weir/"}
    assert {"/weir/livez", "/weir/hold"} <= in_the_worker
    return {*console, *in_the_worker, *(endpoint.value for endpoint in Endpoint)}


def documented():
    """Each path in the table of routes, and whether it is one of weir's own."""
    for first, words, mark in rows(section(HTTP, "Routes")):
        texts = named(first) + (named(words) if mark == OWN else [])
        for text in texts:
            path = text.rpartition(" ")[2]
            if path.startswith("/") and not path.endswith("="):
                yield path, mark == OWN


def test_the_table_of_routes_has_every_route():
    listed = dict(documented())
    routes = {path for path in native() if not path.startswith("/weir/")}
    assert {path for path, mine in listed.items() if mine} == own()
    assert {path for path, mine in listed.items() if not mine} == routes


def test_the_methods_in_the_table_are_those_of_the_routes():
    resources = native()
    found = {}
    for first, *_ in rows(section(HTTP, "Routes")):
        methods, last = [], set()
        for text in named(first):
            *given, path = text.split(" ")
            if given == [] and path in METHODS:  # `GET` and `POST /session`
                methods.append(path)
                continue
            last = found[path] = {*methods, *given} or last
            methods = []
    for path, resource in resources.items():
        taken = {method for method in METHODS if hasattr(resource, f"on_{method.lower()}")}
        assert found[path] == taken, path


def families():
    upstream = {"connected": True, "frame_age_s": 0.1}
    processor = ProcessorStatus("ipc:///bus", answering=True, age_s=0.5, upstream=upstream)
    counts = Counts()
    post = post_of(sources=[source_of()])
    survey = Survey(
        version="0.1",
        seat=0,
        at=100.0,
        posts=[post],
        counts=counts,
        health=Diagnosis(True, [], [], upstream, [processor]),
    )
    return list(metrics.families(survey))


def test_the_table_of_metrics_has_every_metric():
    listed = [name for first, *_ in rows(section(OPERATIONS, "Metrics")) for name in named(first)]
    labels = {name.partition("{")[0]: name.partition("{")[2].rstrip("}") for name in listed}
    assert len(labels) == len(listed)
    code = families()
    assert set(labels) == {family.name for family in code}
    for family in code:
        for found, _ in family.samples:
            said = filter(None, labels[family.name].split(","))
            assert sorted(said) == sorted(found), family.name


def test_the_table_of_metrics_explains_every_cause_and_every_verdict():
    words = {first: named(cell) for first, cell in rows(section(OPERATIONS, "Metrics"))}
    assert sorted(words["`weir_evictions_total{cause}`"]) == sorted(one.value for one in Cause)
    assert sorted(words["`weir_resumes_total{verdict}`"]) == sorted(
        one.value for one in ResumeVerdict
    )


def test_every_bound_that_the_page_names_is_a_flag_or_stands_in_the_code():
    page = section(OPERATIONS, "Bounds and refusals").partition("These bounds end")[0]
    packages = (ROOT / package for package in ("gateway", "processor"))
    code = "".join(file.read_text() for one in packages for file in one.rglob("*.py"))
    names = {name for first, *_ in rows(page) for name in named(first)} - {"data.bound"}
    assert len(names) > 8
    for name in names:
        assert f'"{name}"' in code or f'Flag("{name[2:]}"' in code or f'"{name[2:]}",' in code, (
            name
        )
