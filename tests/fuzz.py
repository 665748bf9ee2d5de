"""`GET /doc` of a weir, tried by schemathesis: no 5xx, and no answer that is not documented.

``python -m tests.fuzz`` starts a weir of its own and tries much; further words go to schemathesis.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.blackbox.weir_up import weir_up
from tests.processes import DEADLINE_S

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
_RUN_COMMANDS = ("/session/{session}/shell", "/mcp")
"""Are left out: weir would run what schemathesis makes up."""


def fuzzed(url: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run schemathesis in a folder; what it keeps stays there."""
    tool = str(Path(sys.executable).with_name("st"))
    argv = [tool, "run", f"{url}/doc", "--checks", ",".join(_CHECKS), *words]
    argv += [word for path in _RUN_COMMANDS for word in ("--exclude-path", path)]
    argv += ["--warnings", "off", "--continue-on-failure"]
    argv += ["--request-timeout", str(DEADLINE_S), "--no-color"]
    environ = os.environ | {"COLUMNS": "100"}
    return subprocess.run(argv, cwd=folder, env=environ, text=True, stdout=subprocess.PIPE)


def main() -> int:
    """Try much; return the status for the shell."""
    with tempfile.TemporaryDirectory() as folder, weir_up(Path(folder), "--workers", "2") as up:
        run = fuzzed(up.url, Path(folder), "--max-examples", "50", *sys.argv[1:])
        print(run.stdout)
        return run.returncode


if __name__ == "__main__":
    sys.exit(main())
