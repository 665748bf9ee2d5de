"""A processor with one tool at work: DIRECTORY COMMAND."""

import os
import sys
from pathlib import Path

from bus.process.cooperative import patch_standard_library

patch_standard_library()

from processor.tools.spool import Spool  # noqa: E402
from processor.tools.threads import Threads  # noqa: E402
from tests.unit.processor.tools.conftest import FakeCall, weirs_tools  # noqa: E402

directory, command = sys.argv[1:]
spool = Spool(Path(directory), 1 << 30, Threads())
tools = weirs_tools(dict(os.environ), spool)
tools["bash"].run({"command": command}, FakeCall(directory))
