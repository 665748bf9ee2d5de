"""Which folders readers follow where several processors each have their own."""

import gevent
import msgspec
import pytest

from bus.answers import CommandFailed, Done
from bus.transport.requester import ProcessorGone
from gateway.folders import SourceFolders
from gateway.relay import Endpoint, Relay, View
from gateway.streams.readers import Readers
from tests.envelopes import enveloped
from tests.events import status


class Feed:
    """A processor that knows some folders; an exception is raised for a path it does not know."""

    def __init__(self, source, own=None, unknown=None, **folders):
        self.subscriber = self.memory = self.requester = self
        self.sources = [source]
        self.upstream = {"directory": own}
        self.folders = folders
        self.unknown = unknown
        self.asked = []

    def call(self, command, deadline_s):
        self.asked.append(command.directory)
        if command.directory not in self.folders:
            raise self.unknown or ProcessorGone("gone")
        told = {"directory": self.folders[command.directory]}
        return Done(1, msgspec.json.encode(told))


class Rig:
    """Folders of some processors, and their readers."""

    def __init__(self, *feeds, learns=True):
        self.readers = Readers(Relay(), 100)
        self.folders = SourceFolders(feeds, self.readers, "/start", learns)

    def follow(self, directory, last_id=None):
        reader = self.readers.open(View(Endpoint.INSTANCE, directory), last_id)
        self.folders.follow(reader)
        return reader

    def look_again(self):
        gevent.sleep(0)
        self.folders.look_again()
        gevent.sleep(0)


def follows(reader, *sources):
    """Return what a reader follows of each source, once it has taken its turn."""
    if reader.turning:
        reader.turn()
    return [reader.view.folder_at(source) for source in sources]


def test_each_upstream_has_a_folder_of_its_own():
    rig = Rig(Feed("one", "/a"), Feed("two", "/b"))
    assert follows(rig.follow(None), "one", "two") == ["/a", "/b"]


def test_upstreams_in_the_same_folder_share_a_plain_view():
    rig = Rig(Feed("one", "/a"), Feed("two", "/a"))
    assert rig.follow(None).view == View(Endpoint.INSTANCE, "/a")


def test_an_upstream_whose_folder_is_not_known_holds_up_no_other():
    late = Feed("two")
    rig = Rig(Feed("one", "/a"), late)
    reader = rig.follow(None)
    assert (reader.placed, follows(reader, "one", "two")) == (True, ["/a", ""])
    late.upstream = {"directory": "/b"}
    rig.look_again()
    assert follows(reader, "one", "two") == ["/a", "/b"]


def test_a_path_is_looked_up_at_each_processor():
    rig = Rig(Feed("one", **{"/l": "/a"}), Feed("two", **{"/l": "/b"}))
    reader = rig.follow("/l")
    assert not reader.placed
    rig.look_again()
    assert follows(reader, "one", "two") == ["/a", "/b"]
    assert reader.placed


@pytest.mark.parametrize(
    "error",
    [ProcessorGone("gone"), CommandFailed("internal", "away"), CommandFailed("invalid", "no")],
)
def test_a_path_means_what_it_says_where_no_processor_can_tell(error):
    rig = Rig(Feed("one", unknown=error))
    reader = rig.follow("/x//y/")
    rig.look_again()
    assert follows(reader, "one") == ["/x/y"]


def test_a_path_that_could_not_be_looked_up_is_looked_up_again(monkeypatch):
    monkeypatch.setattr("gateway.folders._UNSURE_S", 0)
    feed = Feed("one", unknown=CommandFailed("internal", "away"))
    rig = Rig(feed)
    reader = rig.follow("/l")
    rig.look_again()
    assert follows(reader, "one") == ["/l"]
    feed.folders["/l"] = "/a"
    rig.look_again()
    assert follows(reader, "one") == ["/a"]
    asked = len(feed.asked)
    rig.look_again()
    assert len(feed.asked) == asked


def test_a_folder_that_a_source_has_published_in_is_not_looked_up():
    feed = Feed("p1")
    rig = Rig(feed)
    rig.readers.relay.append(enveloped([status("idle")], directory="/known"))
    assert follows(rig.follow("/known"), "p1") == ["/known"]
    assert feed.asked == []


def test_without_an_upstream_the_folder_of_the_start_is_meant():
    feed = Feed("one", "/a")
    reader = Rig(feed, learns=False).follow(None)
    assert (reader.view.directory, reader.placed, feed.asked) == ("/start", True, [])


def test_an_upstream_that_does_not_tell_means_the_folder_of_the_start():
    assert Rig(Feed("one", "")).follow(None).view.directory == "/start"


def test_readers_that_are_gone_are_forgotten():
    rig = Rig(Feed("one"))
    reader = rig.follow(None)
    assert rig.folders._groups
    rig.readers.discard(reader)
    del reader
    rig.look_again()
    assert not rig.folders._groups
