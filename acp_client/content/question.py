"""Converts a tool's questions to a form that the editor shows (elicitation), and answers back."""

from __future__ import annotations

from typing import Any

from acp_client.protocol.wire import Asked, QuestionRequest


def form(question: QuestionRequest, session_id: str) -> dict[str, Any]:
    """Return the parameters of ``elicitation/create``.

    Each question is a field of the form; the name of the field is the number of the question.
    """
    fields = {str(number): _field(asked) for number, asked in enumerate(question.questions)}
    call = {"toolCallId": question.tool.callID} if question.tool.callID else {}
    return {
        "mode": "form",
        "sessionId": session_id,
        **call,
        "message": "\n".join(asked.question for asked in question.questions),
        "requestedSchema": {"type": "object", "properties": fields, "required": list(fields)},
    }


def answers(question: QuestionRequest, result: Any) -> list[list[str]] | None:
    """Return the chosen labels for each question; None if the person has declined to answer."""
    if not isinstance(result, dict) or result.get("action") != "accept":
        return None
    content = result.get("content")
    given = content if isinstance(content, dict) else {}
    return [_labels(given.get(str(number))) for number in range(len(question.questions))]


def _field(asked: Asked) -> dict[str, Any]:
    options = [
        {"const": choice.label, "title": choice.label, "description": choice.description}
        for choice in asked.options
    ]
    described = {"title": asked.header or asked.question, "description": asked.question}
    if asked.multiple:
        return {"type": "array", **described, "items": {"anyOf": options}}
    return {"type": "string", **described, **({"oneOf": options} if options else {})}


def _labels(value: Any) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    return [] if value is None else [str(value)]
