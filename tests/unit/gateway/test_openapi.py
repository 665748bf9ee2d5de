"""`GET /doc` says what the router serves, and what the structs decode."""

import pytest
from jsonschema import Draft202012Validator

from gateway.resources.openapi import document
from gateway.resources.route import Delivery
from gateway.resources.table import TABLE
from tests.fakes.requester import native

SERVED = [route for route in TABLE if route.refused is None]


@pytest.fixture(scope="module")
def doc():
    client, _ = native()
    return client.simulate_get("/doc").json


def test_every_route_that_is_served_is_in_the_document_once(doc):
    listed = {(method.upper(), path) for path, of in doc["paths"].items() for method in of}
    assert listed == {(route.method, route.path) for route in SERVED}
    assert len(listed) == len(SERVED)
    names = [one["operationId"] for of in doc["paths"].values() for one in of.values()]
    assert len(set(names)) == len(names)


def test_every_schema_is_valid_and_leads_somewhere(doc):
    for name, schema in doc["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema, name

    def references(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from [inner] if key == "$ref" else references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in references(doc):
        place = doc
        for word in reference.removeprefix("#/").split("/"):
            place = place[word]


@pytest.mark.parametrize("route", SERVED, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_says_what_it_takes_and_how_it_may_refuse(doc, route):
    said = doc["paths"][route.path][route.method.lower()]
    assert ("requestBody" in said) == (route.body is not None)
    assert ("200" in said["responses"]) == (route.delivery is not Delivery.NOTHING)
    assert {str(status) for status in (*route.refusals, 400, 413, 503, 504)} <= set(
        said["responses"]
    )
    given = {one["name"] for one in said["parameters"]}
    assert {query.name for query in route.query} <= given
    assert ("directory" in given) >= route.in_directory


def test_a_body_is_described_by_the_struct_that_decodes_it(doc):
    body = doc["paths"]["/session/{session}/revert"]["post"]["requestBody"]
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = doc["components"]["schemas"][name]
    assert schema["required"] == ["messageID"]
    client, _ = native()
    refused = client.simulate_post("/session/ses_1/revert", json={"partID": "prt_1"})
    assert (refused.status_code, refused.json["data"]["field"]) == (400, "messageID")


def test_a_row_that_is_left_out_is_missed():
    assert document(TABLE[:1])["paths"].keys() == {"/session"}
