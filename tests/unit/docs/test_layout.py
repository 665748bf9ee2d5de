"""The tests are laid out as contributing.md says: small files, no test that imports a test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT

MOST_LINES = 400
# The folder of unit tests that mirrors no folder of the product.
ELSEWHERE = {"docs"}
FILES = [
    file
    for file in sorted((ROOT / "tests").rglob("*.py"))
    if not {"node_modules", "__pycache__"} & set(file.parts)
]


def imported(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each import of a file from the tests."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests"):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


@pytest.fixture(scope="module")
def imports() -> list[tuple[str, str, str]]:
    """Each import between files of the tests: the file, the module, and the name."""
    return [
        (str(file.relative_to(ROOT)), module, name)
        for file in FILES
        for module, name in imported(file)
    ]


def test_no_file_imports_a_module_of_tests(imports) -> None:
    found = [one for one in imports if ".test_" in f".{one[1]}.{one[2]}" and "tests" in one[1]]
    assert found == [], "put what files share into a module whose name does not begin with test_"


def test_no_file_imports_a_private_name_of_another(imports) -> None:
    assert [one for one in imports if one[2].startswith("_")] == []


def test_no_file_is_too_long() -> None:
    lines = {str(file.relative_to(ROOT)): file.read_bytes().count(b"\n") for file in FILES}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


def test_unit_tests_lie_in_the_folders_of_what_they_test() -> None:
    unit = ROOT / "tests" / "unit"
    folders = {file.parent.relative_to(unit) for file in FILES if unit in file.parents}
    known = {folder for folder in folders if ELSEWHERE.isdisjoint(folder.parts)}
    assert [str(folder) for folder in known if not (ROOT / folder).is_dir()] == []
