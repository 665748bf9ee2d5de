"""A home of its own for an opencode: folders, settings, and no way to the network."""

import json
import os
import subprocess
from pathlib import Path

MODEL = "fake/m1"
LIMIT = {"context": 1_000_000, "output": 32_000}
"""Tokens; far above what any script says, so that opencode never sums a session up."""
SWITCHES = (
    "DISABLE_AUTOUPDATE",
    "DISABLE_MODELS_FETCH",
    "DISABLE_LSP_DOWNLOAD",
    "DISABLE_DEFAULT_PLUGINS",
    "DISABLE_SHARE",
    "PURE",
)
_NOWHERE = "http://127.0.0.1:9"
_LOOPBACK = "127.0.0.1,localhost"


def environment(folder: Path) -> dict[str, str]:
    """Return all of the environment of an opencode that lives in `folder`.

    Nothing of the caller's but the search path is in it. Whatever still asks for the network
    meets a proxy that refuses at once.
    """
    env = {"PATH": os.environ["PATH"], "HOME": str(_made(folder / "home"))}
    env |= {"LANG": "C.UTF-8", "TERM": "xterm-256color", "TMPDIR": str(_made(folder / "tmp"))}
    for kind in ("config", "data", "state", "cache"):
        env[f"XDG_{kind.upper()}_HOME"] = str(_made(folder / kind))
    env |= {f"OPENCODE_{switch}": "1" for switch in SWITCHES}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        env |= {name: _NOWHERE, name.lower(): _NOWHERE}
    env |= {"NO_PROXY": _LOOPBACK, "no_proxy": _LOOPBACK}
    return env | {"npm_config_registry": _NOWHERE, "BUN_CONFIG_REGISTRY": _NOWHERE}


def thrifty(folder: Path) -> dict[str, str]:
    """Return what makes an opencode that soon ends cheaper; a benchmark does without.

    It knows no models but those of its settings, and compiles nothing a third time.
    """
    models = folder / "models.json"
    models.write_text("{}")
    return {"OPENCODE_MODELS_PATH": str(models), "BUN_JSC_useFTLJIT": "0"}


def configured(folder: Path, provider_url: str, snapshots: bool = True) -> dict[str, str]:
    """Write settings that ask the scripted provider; return the variable that names them.

    With `snapshots` it keeps track of a project's files in each step of a turn, as it does by
    default; that is half of what a short turn costs.
    """
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Fake",
        "options": {"baseURL": provider_url, "apiKey": "none"},
        "models": {"m1": {"name": "M1", "reasoning": True, "tool_call": True, "limit": LIMIT}},
    }
    settings = {
        "$schema": "https://opencode.ai/config.json",
        "provider": {"fake": provider},
        "enabled_providers": ["fake"],
        "model": MODEL,
        "small_model": MODEL,
        "permission": {"bash": "ask", "edit": "allow"},
        "share": "disabled",
        "autoupdate": False,
        "snapshot": snapshots,
    }
    file = folder / "opencode.json"
    file.write_text(json.dumps(settings))
    return {"OPENCODE_CONFIG": str(file)}


def project(folder: Path) -> Path:
    """Make `folder` a git repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("A project to work on.\n")
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.invalid")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", folder.name)):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
