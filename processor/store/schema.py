"""The tables, and the migrations from older databases.

``PRAGMA user_version`` counts the migrations that were applied to a database. A released migration
is never edited: a change is a new migration at the end. The column `json` has a session, message
or part as clients receive it; the other columns are those that queries need.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from bus.process.entry import CannotStart

Migration = Sequence[str]

_TABLES: Migration = (
    "CREATE TABLE identity (source TEXT NOT NULL)",
    "INSERT INTO identity VALUES (lower(hex(randomblob(4))))",
    """CREATE TABLE session (
        id TEXT PRIMARY KEY,
        parent TEXT REFERENCES session ON DELETE CASCADE,
        directory TEXT NOT NULL,
        title TEXT NOT NULL,
        updated INTEGER NOT NULL,
        json BLOB NOT NULL
    )""",
    "CREATE INDEX session_parent ON session (parent)",
    "CREATE INDEX session_updated ON session (updated)",
    """CREATE TABLE message (
        id TEXT PRIMARY KEY,
        session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
        parent TEXT,
        role TEXT NOT NULL,
        created INTEGER NOT NULL,
        json BLOB NOT NULL
    )""",
    "CREATE INDEX message_order ON message (session, created, id)",
    "CREATE INDEX message_parent ON message (parent)",
    """CREATE TABLE part (
        id TEXT PRIMARY KEY,
        message TEXT NOT NULL REFERENCES message ON DELETE CASCADE,
        type TEXT NOT NULL,
        json BLOB NOT NULL
    )""",
    "CREATE INDEX part_message ON part (message, id)",
    # The text of parts that still grow: each flush adds rows, since a flush that rewrote the whole
    # text would take longer each time.
    """CREATE TABLE chunk (
        part TEXT NOT NULL REFERENCES part ON DELETE CASCADE,
        position INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (part, position)
    ) WITHOUT ROWID""",
)

# The column lets a restart find unfinished answers without reading every message.
_OPEN_MESSAGES: Migration = (
    "ALTER TABLE message ADD COLUMN open INTEGER NOT NULL DEFAULT 0",
    """UPDATE message SET open = 1
        WHERE role = 'assistant' AND json_extract(CAST(json AS TEXT), '$.time.completed') IS NULL
    """,
    "CREATE INDEX message_open ON message (open) WHERE open",
)

# Removed sessions, so that a processor that restarts can publish these removals again.
_REMOVALS: Migration = (
    """CREATE TABLE removal (
        number INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        json BLOB NOT NULL
    )""",
)

# When a message ended, so that a restart finds failed turns, which do not change their session.
_ENDED_MESSAGES: Migration = (
    "ALTER TABLE message ADD COLUMN ended INTEGER NOT NULL DEFAULT 0",
    """UPDATE message SET ended =
        ifnull(json_extract(CAST(json AS TEXT), '$.time.completed'), created)
    """,
    "CREATE INDEX message_ended ON message (ended)",
)

# The position (epoch, seq) of each agent's last saved line; and the todo lists of sessions.
_AGENTS: Migration = (
    "CREATE TABLE agent (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL)",
    """CREATE TABLE todo (
        session TEXT PRIMARY KEY REFERENCES session ON DELETE CASCADE,
        json BLOB NOT NULL
    )""",
    # Permission requests and questions that wait for a person; the next processor closes them.
    """CREATE TABLE ask (
        id TEXT PRIMARY KEY,
        session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
        kind TEXT NOT NULL
    )""",
    "CREATE INDEX ask_session ON ask (session)",
)

# The unfinished turns of agents, which the next processor continues.
_AGENT_TURNS: Migration = (
    """CREATE TABLE agent_turn (
        prompt TEXT PRIMARY KEY REFERENCES message ON DELETE CASCADE,
        agent TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        name TEXT NOT NULL,
        progress BLOB
    ) WITHOUT ROWID""",
    # The whole output of running tool calls; the JSON of the part has only the output's end.
    """CREATE TABLE output (
        part TEXT NOT NULL REFERENCES part ON DELETE CASCADE,
        position INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (part, position)
    ) WITHOUT ROWID""",
    "DROP TABLE ask",
    """CREATE TABLE ask (
        id TEXT PRIMARY KEY,
        prompt TEXT NOT NULL REFERENCES agent_turn ON DELETE CASCADE,
        name TEXT NOT NULL,
        json BLOB NOT NULL,
        reply BLOB
    ) WITHOUT ROWID""",
)

# `hidden`: the session is deleted or copied in slices, and no query shows it. `session_listed`: an
# index for the list of a directory's sessions. `gone`: removed messages and parts.
_SLICES: Migration = (
    "ALTER TABLE session ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX session_hidden ON session (hidden) WHERE hidden",
    "CREATE INDEX session_listed ON session (directory, updated)",
    """CREATE TABLE gone (
        number INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
        message TEXT NOT NULL,
        part TEXT
    )""",
    "CREATE INDEX gone_session ON gone (session)",
)

# Only the first 64 Ki characters of a part's text are in the search index.
_SEARCHED = "substr(json_extract(CAST({}json AS TEXT), '$.text'), 1, 65536)"
_UNLESS_WAITING = "{}.rowid > (SELECT upto FROM unsearched)"

# A full-text index of the parts of type text. `processor.store.upkeep` adds parts that are older
# than the index: `unsearched` has the highest rowid that is not in the index yet. Triggers add and
# remove all later parts.
_SEARCH: Migration = (
    "CREATE VIEW part_text AS SELECT rowid AS number, "
    + _SEARCHED.format("")
    + " AS text FROM part WHERE type = 'text'",
    """CREATE VIRTUAL TABLE search USING fts5 (
        text, content = 'part_text', content_rowid = 'number',
        tokenize = 'unicode61 remove_diacritics 2'
    )""",
    "CREATE TABLE unsearched (upto INTEGER NOT NULL)",
    "INSERT INTO unsearched SELECT ifnull(max(rowid), 0) FROM part",
    f"""CREATE TRIGGER part_made AFTER INSERT ON part
        WHEN new.type = 'text' AND {_UNLESS_WAITING.format("new")} BEGIN
        INSERT INTO search (rowid, text) VALUES (new.rowid, {_SEARCHED.format("new.")});
    END""",
    f"""CREATE TRIGGER part_removed AFTER DELETE ON part
        WHEN old.type = 'text' AND {_UNLESS_WAITING.format("old")} BEGIN
        INSERT INTO search (search, rowid, text)
            VALUES ('delete', old.rowid, {_SEARCHED.format("old.")});
    END""",
    f"""CREATE TRIGGER part_changed AFTER UPDATE OF json ON part
        WHEN old.type = 'text' AND {_UNLESS_WAITING.format("old")} BEGIN
        INSERT INTO search (search, rowid, text)
            VALUES ('delete', old.rowid, {_SEARCHED.format("old.")});
        INSERT INTO search (rowid, text) VALUES (new.rowid, {_SEARCHED.format("new.")});
    END""",
)

# Permission requests and questions of models' turns that wait for a person.
_MODEL_ASKS: Migration = (
    """CREATE TABLE model_ask (
        id TEXT PRIMARY KEY,
        session TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
        json BLOB NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX model_ask_session ON model_ask (session)",
)

MIGRATIONS: Sequence[Migration] = (
    _TABLES,
    _OPEN_MESSAGES,
    _REMOVALS,
    _ENDED_MESSAGES,
    _AGENTS,
    _AGENT_TURNS,
    _SLICES,
    _SEARCH,
    _MODEL_ASKS,
)


class NewerDatabase(CannotStart):
    """A newer weir has written the database, so that this weir cannot read it."""

    status = 2

    def __init__(self, file: str, version: int) -> None:
        super().__init__(
            f"--state: '{file}' has format {version} of a newer weir; this one knows up to "
            f"{len(MIGRATIONS)}: use the newer weir, or another folder"
        )


def migrate(connection: sqlite3.Connection, file: str, upto: int = len(MIGRATIONS)) -> None:
    """Apply the missing migrations up to number `upto`, each in its own transaction.

    Raises:
        NewerDatabase: the database has more migrations than this weir knows.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise NewerDatabase(file, version)
    for number, migration in enumerate(MIGRATIONS[version:upto], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in migration:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
