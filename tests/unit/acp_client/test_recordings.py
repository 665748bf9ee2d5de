"""Every recording of a real opencode, as an editor gets it: all of the text, once.

The stream is cut and taken up at random points, merged as weir merges it, with the deltas that a
snapshot supersedes kept or dropped.
"""

import functools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acp_client.protocol.wire import Stored
from gateway.relay.coalesce import coalesce
from tests import recorded
from tests.envelopes import enveloped, raw
from tests.reference import State
from tests.unit.acp_client.screen import Editor, conversation, of_wire

CHUNKS = {"text": "agent", "reasoning": "thought"}


def sessions_of(events):
    infos = (e["properties"]["info"]["id"] for e in events if e["type"] == "session.created")
    return list(dict.fromkeys(infos))


def about(event, session):
    properties = event["properties"]
    entity = properties.get("info") or properties.get("part") or {}
    return session in (properties.get("sessionID"), entity.get("sessionID"), entity.get("id"))


def expected(events):
    """Text by kind and message, as the editor must end with it."""
    state = State()
    for one in events:
        state.apply(one)
    said = {}
    for message in (m for session in state.messages for m in state.messages_of(session)):
        for part in message["parts"] if message["info"]["role"] == "assistant" else []:
            if part["type"] in CHUNKS and part["text"]:
                kind = CHUNKS[part["type"]]
                key = kind, part["id"] if kind == "thought" else message["info"]["id"]
                said[key] = said.get(key, "") + part["text"]
    return said


@functools.cache
def expected_of(name):
    """The same of a recording."""
    return expected(recorded.events(name))


WITH_TEXT = [name for name in recorded.scenarios() if expected(recorded.events(name))]


class Watched:
    """All sessions of a recording, each shown by its own conversation."""

    def __init__(self, events):
        self.editors = {session: Editor() for session in sessions_of(events)}
        self.conversations = {session: conversation(session) for session in self.editors}

    def take(self, events):
        for one in events:
            for session, talk in self.conversations.items():
                if about(one, session):
                    self.editors[session].apply(talk.apply(of_wire(one)))

    def cut(self):
        for talk in self.conversations.values():
            talk.note_gap()

    def catch_up(self, state):
        """What REST answers; `state` holds what it does."""
        for session, talk in self.conversations.items():
            stored = msgspec.convert(state.messages_of(session), list[Stored])
            self.editors[session].apply(talk.catch_up(stored))

    def said(self):
        for session, talk in self.conversations.items():
            self.editors[session].apply(talk.flush())
        return {key: text for editor in self.editors.values() for key, text in editor.said.items()}


def folded(events, deltas):
    state = State()
    for one in events:
        if deltas or one["type"] != "message.part.delta":
            state.apply(one)
    return state


def upserts(state):
    """What weir sends a reader whose place is gone: all it knows, as far as it is."""
    for session in state.sessions:
        yield {
            "type": "session.status",
            "properties": {"sessionID": session, "status": state.status.get(session, {})},
        }
        for message in state.messages_of(session):
            info = {"sessionID": session, "info": message["info"]}
            yield {"type": "message.updated", "properties": info}
            for part in message["parts"]:
                properties = {"sessionID": session, "part": part, "time": 1}
                yield {"type": "message.part.updated", "properties": properties}


def merged(events, keep):
    return raw(coalesce(enveloped(events), keep))


@pytest.mark.parametrize("name", WITH_TEXT)
def test_it_is_the_final_text_byte_for_byte(name):
    events = recorded.events(name)
    watched = Watched(events)
    watched.take(events)
    assert watched.said() == expected_of(name)


@pytest.mark.parametrize("name", WITH_TEXT)
def test_what_is_stored_in_the_end_is_what_was_told(name):
    """The same against what the server itself answers afterwards, where it stores text at all."""
    events = recorded.events(name)
    watched = Watched(events)
    watched.take(events)
    said = watched.said()
    for stored in recorded.final_messages(name):
        for message in stored:
            texts = [p["text"] for p in message["parts"] if p["type"] == "text"]
            if message["info"]["role"] == "assistant" and "".join(texts):
                assert said["agent", message["info"]["id"]] == "".join(texts)


@given(st.data())
@settings(deadline=None, max_examples=15)
@pytest.mark.parametrize("name", WITH_TEXT)
def test_merged_streams_lose_nothing(name, data):
    events = recorded.events(name)
    keep = data.draw(st.booleans(), "superseded deltas kept")
    watched, begin = Watched(events), 0
    for end in [*_places(data, events), len(events)]:
        watched.take(merged(events[begin:end], keep))
        begin = end
    assert watched.said() == expected_of(name)


@given(st.data())
@settings(deadline=None, max_examples=15)
@pytest.mark.parametrize("name", WITH_TEXT)
def test_cuts_that_are_healed_by_upserts_lose_nothing(name, data):
    """weir, when it no longer has the reader's place."""
    events = recorded.events(name)
    watched, begin = Watched(events), 0
    for cut, back in _holes(data, events):
        watched.take(merged(events[begin:cut], data.draw(st.booleans())))
        watched.cut()
        watched.take(upserts(folded(events[:back], deltas=True)))
        watched.catch_up(folded(events[: _ahead(data, events, back)], deltas=True))
        begin = back
    watched.take(events[begin:])
    assert watched.said() == expected_of(name)


@given(st.data())
@settings(deadline=None, max_examples=15)
@pytest.mark.parametrize("name", WITH_TEXT)
def test_cuts_at_an_opencode_lose_nothing_that_it_ever_tells_again(name, data):
    """It stores no deltas: a part that never closes ends where the cut fell, and no later."""
    events = recorded.events(name)
    watched, begin = Watched(events), 0
    for cut, back in _holes(data, events):
        watched.take(events[begin:cut])
        watched.cut()
        watched.catch_up(folded(events[: _ahead(data, events, back)], deltas=False))
        begin = back
    watched.take(events[begin:])
    watched.catch_up(folded(events, deltas=False))
    said, whole = watched.said(), expected_of(name)
    stored = expected([e for e in events if e["type"] != "message.part.delta"])
    assert said.keys() <= whole.keys()
    for key, text in whole.items():
        if key in stored:
            assert said[key] == text
        else:
            assert text.startswith(said.get(key, ""))


def _ahead(data, events, back):
    """How far the server is when it answers: the stream may lag behind it."""
    return data.draw(st.integers(back, len(events)), "ahead")


def _places(data, events):
    return sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))


def _holes(data, events):
    places = _places(data, events)
    return list(zip(places[::2], places[1::2], strict=False))
