"""The unmodified terminal of opencode with a token of one folder, before a real opencode."""

import pytest

from gateway.access.principal import Action
from gateway.access.token_file import TokenFile
from tests.blackbox.weir_up import lives
from tests.fakes.texts import numbered
from tests.opencode import terminal
from tests.opencode.relay import weir_before
from tests.processes import wait_until

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not terminal.is_there(), reason="tmux is not installed"),
]


def test_the_terminal_works_with_the_token_as_its_password(opencode, tmp_path):
    state, where = tmp_path / "state", str(opencode.projects[0])
    state.mkdir(mode=0o700)
    token, _ = TokenFile(state).add("one", Action.WRITE, None, (where,))
    with weir_before(opencode, tmp_path) as up:
        with terminal.attached(up.url, where, opencode.version, "--password", token) as shown:
            shown.enter("storm 3 40")
            shown.shows(*(text.strip() for text in numbered(3)))
            pids = shown.pids()
        wait_until(lambda: not any(map(lives, pids)), what="the end of the terminal's program")
