"""No part of the product draws from the generator of `random` that all threads share.

A thread that draws from it changes what a seeded test draws: Hypothesis warns of a strategy in
which that happens.
"""

import ast
import random
import threading

import pytest

from bus.backoff import Backoff
from tests.processes import ROOT

PACKAGES = ("bus", "processor", "gateway", "acp_client", "deploy")
OWN_GENERATORS = {"Random", "SystemRandom"}


def test_a_thread_that_waits_to_reconnect_leaves_it_alone():
    before = random.getstate()
    thread = threading.Thread(target=Backoff().next_s)
    thread.start()
    thread.join()
    assert random.getstate() == before


@pytest.mark.parametrize("package", PACKAGES)
def test_only_generators_of_its_own_are_used(package):
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "random":
                assert {alias.name for alias in node.names} <= OWN_GENERATORS, file
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                shared = node.value.id == "random" and node.attr not in OWN_GENERATORS
                assert not shared, f"{file}:{node.lineno}"
