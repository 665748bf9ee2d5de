"""The application of the sse-starlette peer: what its documentation has, and no more."""

import asyncio

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

QUEUES = set()


async def stream(request):
    queue = asyncio.Queue()
    QUEUES.add(queue)

    async def events():
        try:
            while True:
                yield {"data": await queue.get()}
        finally:
            QUEUES.discard(queue)

    return EventSourceResponse(events())


async def publish(request):
    body = (await request.body()).decode()
    for queue in QUEUES:
        queue.put_nowait(body)
    return JSONResponse({})


async def health(request):
    return JSONResponse({})


app = Starlette(
    routes=[
        Route("/ev", stream),
        Route("/pub", publish, methods=["POST"]),
        Route("/ok", health),
    ]
)
