"""The published JSON schema of ACP, held against everything that an agent says."""

import functools
import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.acp.install import SDK
from tests.acp.transcript import Json, Transcript, is_request

ANSWERS = {
    "initialize": "InitializeResponse",
    "session/new": "NewSessionResponse",
    "session/load": "LoadSessionResponse",
    "session/resume": "ResumeSessionResponse",
    "session/list": "ListSessionsResponse",
    "session/close": "CloseSessionResponse",
    "session/prompt": "PromptResponse",
    "session/set_config_option": "SetSessionConfigOptionResponse",
}
"""The definition of the answer to each method."""
CALLS = {
    "session/update": "SessionNotification",
    "session/request_permission": "RequestPermissionRequest",
    "elicitation/create": "CreateElicitationRequest",
}
"""The definition of the parameters of each method that an agent calls."""


def violations(transcript: Transcript) -> list[str]:
    """Return what the agent said against the schema, a line each."""
    asked = {
        frame.message["id"]: frame.message["method"]
        for frame in transcript.frames
        if frame.sent and is_request(frame.message)
    }
    return [said for message in transcript.received() for said in _faults(message, asked)]


def _faults(message: Json, asked: dict[Any, str]) -> list[str]:
    if message.get("jsonrpc") != "2.0":
        return [f"no JSON-RPC 2.0: {message}"]
    method = message.get("method")
    if method is not None:
        return _against(CALLS.get(method), message["params"], method)
    if "error" in message:
        return _against("Error", message["error"], "an error")
    method = asked[message["id"]]
    return _against(ANSWERS[method], message["result"], method)


def _against(definition: str | None, value: Any, what: str) -> list[str]:
    if definition is None:
        return [f"{what} is no method that this client offers"]
    errors = validator(definition).iter_errors(value)
    return [f"{what}: {error.message} at {error.json_path}: {value}" for error in errors]


@functools.cache
def validator(definition: str) -> Draft202012Validator:
    """Return what tells whether a value is as a definition of the schema wants it."""
    schema = json.loads((SDK / "schema" / "v1" / "schema.json").read_bytes())
    return Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{definition}"})
