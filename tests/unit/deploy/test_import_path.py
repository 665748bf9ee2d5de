"""The start folder is no place to import from, however it came into the path."""

import os
import sys

import pytest

from deploy.import_path import interpreter, keep_start_folder_out
from tests.processes import ROOT


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The start folder, twice in the path, as an empty entry puts it there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path, str(tmp_path)])
    return str(tmp_path)


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        *[(":", ""), (":/a", "/a"), ("/a:", "/a"), ("/a::/b", "/a:/b")],
        *[(".", ""), ("./", ""), ("/a:.", "/a"), (".:src:/b", "/b")],
    ],
)
def test_a_relative_entry_is_dropped_here_and_for_children(here, given, cleaned):
    environ = {"PYTHONPATH": given}
    keep_start_folder_out(environ)
    assert environ["PYTHONPATH"] == cleaned
    assert here not in sys.path


def test_a_folder_below_the_start_folder_is_dropped_too(here):
    sys.path.insert(0, f"{here}/src")
    environ = {"PYTHONPATH": "src"}
    keep_start_folder_out(environ)
    assert f"{here}/src" not in sys.path


@pytest.mark.parametrize("environ", [{"PYTHONPATH": "."}, {"PYTHONPATH": "/a::"}, {}])
def test_weir_that_is_not_installed_stays_in_the_path(monkeypatch, environ):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    keep_start_folder_out(environ)
    assert environ["PYTHONPATH"].split(":")[-1] == str(ROOT)
    assert str(ROOT) in sys.path


@pytest.mark.parametrize("environ", [{}, {"PYTHONPATH": ""}, {"PYTHONPATH": "/a:/b"}])
def test_what_was_chosen_stays(here, environ):
    before = dict(environ), list(sys.path)
    keep_start_folder_out(environ)
    assert (environ, sys.path) == before


def test_a_start_folder_that_is_named_stays_though_an_entry_is_empty(here):
    environ = {"PYTHONPATH": f"{here}:"}
    keep_start_folder_out(environ)
    assert environ == {"PYTHONPATH": here}
    assert here in sys.path


def test_a_deleted_start_folder_is_no_obstacle(here):
    os.rmdir(here)
    environ = {"PYTHONPATH": ":/a"}
    keep_start_folder_out(environ)
    assert environ == {"PYTHONPATH": "/a"}


def test_services_start_as_this_python_did(monkeypatch):
    assert interpreter()[:2] == [sys.executable, "-P"]
    flags = type("Flags", (), {"ignore_environment": 1, "no_user_site": 1})
    monkeypatch.setattr(sys, "flags", flags)
    assert interpreter() == [sys.executable, "-P", "-E", "-s"]
