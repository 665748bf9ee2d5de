"""Where and when `weir up` says that it is ready."""

import errno
import logging
import os

import pytest

from bus.process.entry import OutputLost
from bus.process.heart import Notifier
from deploy import announcement
from deploy.announcement import Announcement


@pytest.fixture
def answers(monkeypatch):
    """What each address answers: ready, or a reason; no answer where there is none."""
    known = {}

    def readiness(_self, host):
        said = known.get(host, (False, ""))
        return said() if callable(said) else said

    monkeypatch.setattr(announcement.Announcement, "_readiness", readiness)
    return known


class Manager(Notifier):
    """A service manager that remembers."""

    def __init__(self):
        super().__init__("")
        self.said = []

    def say(self, *lines):
        self.said += lines


@pytest.mark.parametrize(
    ("host", "address", "asked", "url"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("::", "::", "127.0.0.1", "127.0.0.1"),
        ("::", "::", "::1", "[::1]"),
        ("::ffff:0.0.0.0", "::ffff:0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("::1", "::1", "::1", "[::1]"),
        ("[::1]", "::1", "::1", "[::1]"),
        ("six", "::1", "::1", "six"),
        ("fe80::1%lo", "fe80::1%lo", "fe80::1%lo", "[fe80::1%lo]"),
    ],
)
def test_it_asks_where_is_listened_and_says_what_a_client_can_use(
    answers, capsys, host, address, asked, url
):
    answers[asked] = (True, "")
    manager = Manager()
    Announcement(host, (address, 4097), manager)()
    root = f"http://{url}:4097"
    said = f"weir is ready: {root}\nits console:   {root}/weir/console\n"
    assert capsys.readouterr().out == said
    assert manager.said == ["READY=1"]


def test_a_reader_of_standard_output_that_is_gone_is_no_reason_to_stop(
    answers, monkeypatch, caplog
):
    def lost(*_, **__):
        raise OutputLost(errno.EPIPE, os.strerror(errno.EPIPE))

    pointed = []
    monkeypatch.setattr(announcement, "point_at_null", pointed.append)
    monkeypatch.setattr("builtins.print", lost)
    answers["127.0.0.1"] = (True, "")
    manager = Manager()
    one = Announcement("127.0.0.1", ("127.0.0.1", 4097), manager)
    for _ in range(2):
        one()
    assert (manager.said, pointed) == (["READY=1"], [1])
    assert "weir is ready: http://127.0.0.1:4097 (standard output" in caplog.text


def test_a_reason_is_logged_once_though_an_age_in_it_grows(answers, caplog):
    ages = iter(range(100))
    answers["127.0.0.1"] = lambda: (False, f"the upstream is gone since {next(ages)}.3 s")
    one = Announcement("127.0.0.1", ("127.0.0.1", 4097), Notifier(""))
    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            one()
        answers["127.0.0.1"] = (False, "something else")
        one()
        answers["127.0.0.1"] = (False, "the upstream is gone since 99.9 s")
        one()
    assert [record.getMessage() for record in caplog.records] == [
        "weir is not ready yet: the upstream is gone since 0.3 s",
        "weir is not ready yet: something else",
    ]


def test_an_address_that_cannot_be_asked_is_said_once(caplog):
    # As a loopback that is down; no connection to a broadcast address is allowed.
    announce = Announcement("255.255.255.255", ("255.255.255.255", 1), Manager())
    announce()
    announce()
    [line] = caplog.messages
    assert line.startswith("weir is not ready yet: 255.255.255.255 port 1 cannot be reached: ")
