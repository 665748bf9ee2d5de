"""Lines to an editor's agent that are nearly right."""

import json

from tests.acp_editor import agent
from tests.hostile.attack import NATIVE, Attack, Site
from tests.hostile.mutations import mutated, nested

_AT_ONCE = 50
_LEVELS = (255, 256, 970, 1500, 100_000)


def run(site: Site, count: int) -> None:
    """Write them to an agent of the weir; it answers afterwards."""
    with agent(site.url) as editor:
        session = editor.start("/")
        site.begin()
        whole = _lines(session)
        for start in range(0, count, _AT_ONCE):
            some = [mutated(site.random, site.random.choice(whole)) for _ in range(_AT_ONCE)]
            editor.write(b"".join(one.replace(b"\n", b" ") + b"\n" for one in some))
            if "result" not in editor.call("initialize", {"protocolVersion": 1}):
                site.wrong.append(f"no answer after line {start + _AT_ONCE}")
        for number, levels in enumerate(_LEVELS):
            deep = {"jsonrpc": "2.0", "id": f"deep{number}", "method": "session/new", "params": 0}
            line = json.dumps(deep).encode().replace(b": 0}", b": %b}" % nested(levels))
            editor.write(line + b"\n")
            if "error" not in editor.answer(f"deep{number}"):
                site.wrong.append(f"{levels} levels are no error under the id of the request")
    for _ in site.hold():
        pass


def _lines(session: str) -> list[bytes]:
    prompt = {"sessionId": session, "prompt": [{"type": "text", "text": "rate 100 1"}]}
    said = [
        {"method": "initialize", "params": {"protocolVersion": 1, "clientCapabilities": {}}},
        {"method": "session/new", "params": {"cwd": "/", "mcpServers": []}},
        {"method": "session/load", "params": {"sessionId": session, "cwd": "/", "mcpServers": []}},
        {"method": "session/prompt", "params": prompt},
        {"method": "session/set_mode", "params": {"sessionId": session, "modeId": "build"}},
    ]
    told = {"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}}
    lines = [{"jsonrpc": "2.0", "id": f"fuzz{n}", **one} for n, one in enumerate(said)]
    return [json.dumps(one).encode() for one in [*lines, told]]


ATTACK = Attack("{n} lines to an agent, mutated", run, full=5_000, small=250, modes=(NATIVE,))
