from typing import Annotated

import pytest
from msgspec import Meta, Struct

from processor.tools.arguments import decoded, schema
from processor.tools.tool import ToolFailed


class Item(Struct):
    name: str


class Arguments(Struct, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1, description="How many")]
    items: list[Item] = []


@pytest.mark.parametrize(
    "arguments", [b'{"count":3}', '{"count":"3"}', {"count": 3}, {"count": "3", "items": []}]
)
def test_arguments_come_as_text_bytes_or_a_dict_and_numbers_also_as_text(arguments):
    assert decoded(arguments, Arguments, "t").count == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (b'{"count":', "truncated"),
        ("", "count"),
        (b"[1]", "Expected `object`"),
        ({"count": "x"}, "$.count"),
        ({"count": 0}, ">= 1"),
        ({"count": 1, "colour": "red"}, "colour"),
        ({"count": 1, "items": [{"name": 3}]}, "$.items[0].name"),
        (b'{"count":1,"items":[{"name":"\xff"}]}', "arguments of t"),
        ('{"count":1,"x":"\ud800"}', "arguments of t"),
    ],
)
def test_a_wrong_field_is_named_for_the_model(arguments, words):
    with pytest.raises(ToolFailed, match=r"^The arguments of t are invalid") as failed:
        decoded(arguments, Arguments, "t")
    assert words in str(failed.value)


def test_the_schema_of_a_tool_has_its_fields_at_the_top():
    found = schema(Arguments)
    assert found["type"] == "object"
    assert found["required"] == ["count"]
    assert found["additionalProperties"] is False
    assert found["properties"]["count"]["description"] == "How many"
    assert found["$defs"]["Item"]["properties"]["name"] == {"type": "string"}
