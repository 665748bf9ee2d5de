"""Events of one session, one message and one part, as an opencode writes them."""


def about(event_type, **properties):
    return {"type": event_type, "properties": {"sessionID": "ses"} | properties}


def status(kind):
    return about("session.status", status={"type": kind})


def part(text, **more):
    body = {"id": "prt", "messageID": "msg", "sessionID": "ses", "type": "text", "text": text}
    properties = {"sessionID": "ses", "part": body | more, "time": 1}
    return {"id": "evt_1", "type": "message.part.updated", "properties": properties}


def delta(text, number=2):
    properties = {"sessionID": "ses", "messageID": "msg", "partID": "prt", "field": "text"}
    event = {"id": f"evt_{number}", "type": "message.part.delta"}
    return {**event, "properties": {**properties, "delta": text}}
