"""A processor with one tool at work: DIRECTORY COMMAND."""

import os
import sys
from pathlib import Path

from bus.process.cooperative import patch_standard_library

patch_standard_library()

from processor.tools.builtin import builtin_tools  # noqa: E402
from processor.tools.settings import ToolSettings  # noqa: E402
from processor.tools.spool import Spool  # noqa: E402
from processor.tools.threads import Threads  # noqa: E402
from tests.unit.processor.tools.conftest import FakeCall  # noqa: E402

directory, command = sys.argv[1:]
spool = Spool(Path(directory), 1 << 30, Threads())
tools = builtin_tools(ToolSettings(environment=dict(os.environ)), spool, Threads())
tools["bash"].run({"command": command}, FakeCall(directory))
