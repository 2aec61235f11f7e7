import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from copilot.wire import codec, messages, reference, schema

from .samples import anything

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "clients" / "schema"
VALIDATORS = {name: Draft202012Validator(body) for name, body in schema.message_schemas().items()}
DOCUMENT = schema.asyncapi()


def test_the_documents_on_disk_are_those_of_the_messages():
    written = {
        str(path.relative_to(SCHEMAS)): path.read_text(encoding="utf-8")
        for path in [*SCHEMAS.glob("messages/*.json"), SCHEMAS / "asyncapi.json"]
    }
    assert written == schema.documents()


def test_everything_generated_is_fresh():
    checked = subprocess.run(
        [sys.executable, "scripts/schema", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@settings(max_examples=300, deadline=None)
@given(anything)
def test_every_message_fits_its_schema(message):
    data = json.loads(codec.encode(message))
    VALIDATORS[data["type"]].validate(data)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("card.ack", {"card_id": "c"}),
        ("card.ack", {"card_id": "c", "action": "eaten"}),
        ("call.start", {"v": 1, "media": {"encoding": "mp3", "sample_rate": 8000}}),
        ("audio.gap", {"offset": -1, "samples": 1}),
    ],
)
def test_what_the_codec_refuses_the_schema_refuses(kind, data):
    assert not VALIDATORS[kind].is_valid({"type": kind, **data})


def test_schemas_are_schemas_and_messages_of_a_newer_version_fit():
    for name, validator in VALIDATORS.items():
        Draft202012Validator.check_schema(validator.schema)
        assert validator.schema["properties"]["type"] == {"const": name}
    assert VALIDATORS["pong"].is_valid({"type": "pong", "t": None, "later": 1})


def references(node):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_of_the_asyncapi_document_leads_somewhere():
    found = set(references(DOCUMENT))
    assert len(found) > 100
    for reference_ in found:
        node = DOCUMENT
        for part in reference_.removeprefix("#/").split("/"):
            node = node[part]


def test_every_message_is_said_on_some_endpoint_by_the_right_side():
    said = {"send": set(), "receive": set()}
    for operation in DOCUMENT["operations"].values():
        said[operation["action"]] |= {item["$ref"].rpartition("/")[2] for item in operation["messages"]}
    assert said["receive"] == {*codec.message_types(messages.ClientMessage), "audio.frame"}
    assert said["send"] == schema.all_messages().keys() - codec.message_types(messages.ClientMessage).keys()


def test_the_reference_names_every_message_field_and_code():
    page = reference.markdown()
    for name, body in schema.message_schemas().items():
        section = page.split(f"### `{name}`\n")[1].split("\n##")[0]
        assert body["description"].split("\n")[0] in section
        own = body["properties"].keys() - {"type", "seq", "call_id", "pos_ms", "emitted_at"}
        assert all(f"| `{field}` |" in section for field in own)
    assert all(f"| {code} |" in page for code in codec.CLOSE_CODES)
    assert all(f"| `{code}` |" in page for code in codec.ERROR_CODES)


def test_every_message_says_what_it_is_for():
    assert all(cls.__doc__ for cls in schema.all_messages().values())


def test_every_code_raised_towards_a_peer_is_published():
    raised = set()
    for room in ("ingress", "wire", "access", "server"):
        for file in (ROOT / "copilot" / room).glob("*.py"):
            raised |= set(
                re.findall(r'(?:RemoteProtocol|Access)Error\(\s*"([a-z_.]+)"', file.read_text(encoding="utf-8"))
            )
    assert len(raised) > 15
    assert raised <= codec.ERROR_CODES.keys()
