"""weir as its users install it: a wheel or an sdist, into an environment that has nothing else.

The environment lies in a path with a space, and no tool of a developer is in it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bus.process.version import installed_version
from tests.blackbox.publishing import readme_lines
from tests.blackbox.weir_up import Up, said
from tests.processes import DEADLINE_S, ROOT, Running

DISTRIBUTION = "weir-events"
INSTALL_S = 5 * DEADLINE_S
# The first test of an environment also waits for the build and for pip.
pytestmark = pytest.mark.timeout(3 * INSTALL_S)
NEWER = "3.14", "3.13", "3.12"
NOT_COPIED = (
    *(".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis"),
    *("*.egg-info", "build", "dist"),
)
LITTER = "tests/sdk/node_modules/some/index.js", "tests/unit/__pycache__/some.pyc", ".venv/some"
CONSOLE = "index.html", "app.js", "views/overview.js", "vendor/lit-html.js", "vendor/licences.txt"
MADE_BY_SETUPTOOLS = "PKG-INFO", "setup.cfg", "weir_events.egg-info/"
IMPORT_ALL = """
import importlib, pkgutil
for top in ("bus", "processor", "gateway", "acp_client", "deploy", "weir"):
    package = importlib.import_module(top)
    for found in pkgutil.walk_packages(package.__path__, top + "."):
        if not found.name.endswith("__main__"):
            try:
                importlib.import_module(found.name)
                print(found.name)
            except ModuleNotFoundError as error:
                print(found.name, "needs", error.name)
"""
NEEDS_AN_EXTRA = {
    "gateway.access.people.jwt_tokens needs jwt",
    "gateway.access.people.key_set needs jwt",
    "gateway.access.people.issuer_keys needs jwt",
    "processor.tools.mcp.host needs httpx2",
    *(
        f"bus.redis.{name} needs redis"
        for name in ("appender", "client", "lease", "queue", "writer")
    ),
    *(
        f"gateway.bridge.{name} needs redis"
        for name in ("commands", "merging", "processors", "reader", "service")
    ),
}
"""Nothing else imports these modules unless a flag asks for what they do."""


def plain():
    """Return the environment of a user who has set nothing."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WEIR_", "PYTHON", "LC_", "XDG_"))
    }
    return {**own, "LANG": "C"}


def run(*command, cwd):
    """Run a command that must succeed, and return what it prints."""
    ended = subprocess.run(
        command, cwd=cwd, env=plain(), capture_output=True, text=True, timeout=INSTALL_S
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def pip(environment, *words):
    """Run the pip of this Python for an environment, which needs none of its own."""
    how = "--disable-pip-version-check", "--python", environment / "bin" / "python"
    return run(sys.executable, "-m", "pip", *how, *words, cwd=environment)


def newest_python():
    """Return the newest Python of this machine, on the path or of pyenv, else the running one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for version in NEWER:
        installed = pyenv.glob(f"{version}.*/bin/python3")
        for python in filter(None, (shutil.which(f"python{version}"), *map(str, installed))):
            probe = [python, "-c", "import ensurepip, venv"]
            if subprocess.run(probe, capture_output=True).returncode == 0:
                return python
    return sys.executable


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the sources: the build writes beside them, and other tests read there."""
    folder = tmp_path_factory.mktemp("a b") / "weir"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name in LITTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture(scope="module")
def built(sources):
    """The folder with the wheel and the sdist."""
    run(sys.executable, "-m", "build", "--no-isolation", cwd=sources)
    return sources / "dist"


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def installed(request, built, tmp_path_factory):
    """The folder of the programs of an environment: the wheel with what pip resolves, on this
    Python; the sdist with the lock for running, on the newest one."""
    folder = tmp_path_factory.mktemp("an environment")
    python = sys.executable if request.param == "wheel" else newest_python()
    run(python, "-m", "venv", "--without-pip", ".", cwd=folder)
    install = "install", "--quiet", "--no-compile"  # what is imported is compiled then
    if request.param == "wheel":
        pip(folder, *install, *built.glob("*.whl"))
    else:
        [sdist] = built.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        [lock] = folder.glob("*/deploy/requirements.lock")
        digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
        own = folder / "own.lock"
        own.write_text(f"{DISTRIBUTION} @ {sdist.as_uri()} --hash=sha256:{digest}\n")
        pip(folder, *install, "--no-deps", "--require-hashes", "-r", lock, "-r", own)
    return folder / "bin"


def test_nothing_is_missing(installed, tmp_path):
    """The first test of an environment: one process compiles here what many import later."""
    modules = run(installed / "python", "-c", IMPORT_ALL, cwd=tmp_path).splitlines()
    assert "deploy.files" in modules
    assert {line for line in modules if " " in line} == NEEDS_AN_EXTRA
    pip(installed.parent, "check")
    packages = {path.name for path in installed.parent.glob("lib/*/site-packages/*.dist-info")}
    assert f"weir_events-{installed_version()}.dist-info" in packages
    assert not [name for name in packages if name.startswith("pytest")]


@pytest.fixture(scope="module")
def up(installed, tmp_path_factory):
    """A running weir of that environment."""
    folder = tmp_path_factory.mktemp("served")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [installed / "weir", "up", "--port", "0", "--state", folder / "a state"],
            cwd=folder,
            env=plain(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    running = Running(process, folder / "log")
    try:
        yield Up(running)
    finally:
        running.stop()


def test_a_prompt_is_answered(up):
    assert said(up.prompt(up.session(), "storm 2 12")) == "0000000|xxx 0000001|xxx "
    assert up.call("GET", "/global/health").body["version"] == installed_version()


def test_the_lines_of_the_readme_run_in_an_empty_folder(installed, up, tmp_path):
    run(installed / "python", "-c", readme_lines(up), cwd=tmp_path)
    [session] = up.call("GET", f"/session?directory={tmp_path}").body
    assert session["title"] == "nightly"
    answer = up.call("GET", f"/session/{session['id']}/message").body[-1]
    assert said(answer) == "Hello world"


def test_the_files_of_deploy_are_at_hand(installed, tmp_path):
    run(installed / "weir", "files", "some where", cwd=tmp_path)
    folder = tmp_path / "some where"
    assert f'ExecStart="{installed / "weir"}" up' in (folder / "weir.service").read_text()
    assert (
        f"WEIR: {DISTRIBUTION}=={installed_version()}\n" in (folder / "compose.yaml").read_text()
    )
    assert (folder / "nginx.conf").read_text() == (ROOT / "deploy/nginx.conf").read_text()


def test_the_wheel_holds_the_product_alone(built):
    [wheel] = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"gateway/console/static/{name}" for name in CONSOLE} <= set(names)
    tops = {name.partition("/")[0] for name in names}
    info = f"weir_events-{installed_version()}.dist-info"
    assert tops == {"bus", "processor", "gateway", "acp_client", "deploy", "weir", info}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="these sources are no checkout")
def test_the_sdist_carries_what_a_checkout_has(built):
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    tracked = run(*listed, cwd=ROOT).split("\0")
    expected = {name for name in tracked if (ROOT / name).is_file()}
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {one.name.partition("/")[2] for one in archive.getmembers() if one.isfile()}
    assert {name for name in names if not name.startswith(MADE_BY_SETUPTOOLS)} == expected
