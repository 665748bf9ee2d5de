"""Answer prompts with the OpenAI client (pip install openai).

python openai_client.py http://127.0.0.1:4097 https://HOST/v1 MODEL; the key in OPENAI_API_KEY
"""

import os
import sys
from collections.abc import Iterator

from openai import OpenAI

import weir

URL, MODEL_URL, MODEL = sys.argv[1:]
client = OpenAI(base_url=MODEL_URL, api_key=os.environ.get("OPENAI_API_KEY", "none"))


def answer(turn: weir.Turn) -> Iterator[str]:
    """Yield what the model says; a turn that is stopped closes the generator, and the stream."""
    with client.chat.completions.create(
        model=MODEL,
        messages=turn.messages(),
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        for chunk in stream:
            if chunk.usage:
                turn.usage(input=chunk.usage.prompt_tokens, output=chunk.usage.completion_tokens)
            for choice in chunk.choices:
                yield choice.delta.content or ""


weir.serve(answer, URL)
