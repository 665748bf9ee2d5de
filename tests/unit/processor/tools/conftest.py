"""Tools in a folder of their own, with a call that allows what the test lets it."""

import os
from contextlib import contextmanager

import pytest
from gevent.event import Event

from processor.tools.builtin import builtin_tools
from processor.tools.command import Programs
from processor.tools.process import ToolProcesses
from processor.tools.spool import Spool
from processor.tools.threads import Threads
from processor.tools.tool import CallRefused, ChildAnswer


def weirs_tools(environment, spool, most=32):
    """The tools; at most `most` commands and searches run at the same time."""
    programs = Programs(ToolProcesses(environment), most)
    return builtin_tools(environment, programs, spool, Threads())


class FakeCall:
    """A call of a loop; `denied` are the permissions that it refuses."""

    session = "ses_1"

    def __init__(self, directory):
        self.directory = str(directory)
        self.aborted = Event()
        self.denied = set()
        self.hidden = set()
        self.is_waiting = False
        self.needs = []
        self.shown = []
        self.todo = None
        self.answers = []
        self.children = []
        self.before_use = lambda need: None

    @contextmanager
    def waiting(self):
        self.is_waiting = True
        yield
        self.is_waiting = False

    def allows(self, need):
        return need.permission not in self.denied and need.patterns[0] not in self.hidden

    def need(self, need):
        self.needs.append(need)
        if need.permission in self.denied:
            raise CallRefused(f"{need.permission} is denied")
        self.before_use(need)

    def show(self, *, title=None, output="", metadata=None):
        self.shown.append(output)

    def ask(self, questions):
        return self.answers

    def todos(self, todos):
        self.todo = todos

    def child(self, prompt, agent, title, session=None):
        self.children.append((prompt, agent, title, session))
        return ChildAnswer("ses_child", "child says so")

    def asked(self):
        return [(need.permission, need.patterns) for need in self.needs]


@pytest.fixture
def call(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return FakeCall(folder)


@pytest.fixture
def project(call, tmp_path):
    return tmp_path / "project"


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def spool(state):
    return Spool(state, 1 << 30, Threads())


@pytest.fixture
def tools(spool):
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}
    return weirs_tools(environment, spool)


@pytest.fixture
def run(tools, call):
    """Run a tool by its name and arguments."""
    return lambda name, **arguments: tools[name].run(arguments, call)
