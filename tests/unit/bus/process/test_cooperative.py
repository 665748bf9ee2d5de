"""The standard library is patched, and nothing that is installed beside weir is searched for."""

import subprocess
import sys

from tests.processes import ROOT

_PROGRAM = """
import sys
from bus.process.cooperative import patch_standard_library
patch_standard_library()
import socket, gevent.socket
assert socket.socket is gevent.socket.socket
assert "importlib.metadata" not in sys.modules
"""


def test_what_blocks_is_patched_without_a_search_for_plugins():
    subprocess.run([sys.executable, "-c", _PROGRAM], cwd=ROOT, check=True)
