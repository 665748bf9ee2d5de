"""A turn of the scripted server that an editor is in the middle of."""

from tests.fakes.agent_server import MODEL, answered, info, status, text, updated


def running(session):
    """The events of a turn up to its first words."""
    return answered(session, "never ending")[:6]


def aborted(server, session):
    """What an opencode says after an abort."""
    error = {"name": "MessageAbortedError", "data": {"message": "Aborted"}}
    server.publish(
        {"type": "session.error", "properties": {"sessionID": session, "error": error}},
        status(session),
        updated(text(session, "msg_11", "prt_11", "never late", done=True)),
        updated(info(session, "msg_11", done=True, error=error, **MODEL)),
        status(session),
    )
    return True


def in_mid_turn(server, editor):
    """A turn that ends when it is aborted."""
    session = editor.start()
    server.answers[f"POST /session/{session}/abort"] = lambda body: aborted(server, session)
    server.on_prompt = lambda session, body: server.publish(*running(session))
    id_ = editor.prompt(session, "hi")
    editor.until(lambda: editor.said(session))
    return session, id_
