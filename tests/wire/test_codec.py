import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.errors import AccessError, NotFoundError, RemoteProtocolError, StorageError
from copilot.wire import codec, messages
from copilot.wire.messages import CallStart, Error, Mark, MediaHeader, Ping

from .samples import UNIONS, anything, structs


def refused(text, decode=codec.decode_client):
    with pytest.raises(RemoteProtocolError) as caught:
        decode(text)
    return caught.value


def outcome(decode, data):
    try:
        decode(data)
    except RemoteProtocolError as error:
        return error.code
    return "fine"


@settings(deadline=None)
@given(anything)
def test_decode_is_the_inverse_of_encode(message):
    kinds = [codec.decode_client] * isinstance(message, messages.ClientMessage)
    kinds += [codec.decode_call_message] * isinstance(message, messages.CallMessage)
    kinds += [codec.decode_server] * (not isinstance(message, messages.ClientMessage))
    assert kinds
    for decode in kinds:
        assert decode(codec.encode(message)) == message


def test_every_type_is_said_once_and_is_a_noun_and_a_participle_or_a_noun():
    names = [name for union in UNIONS for name in codec.message_types(union)]
    assert len(names) == len(set(names)) == sum(len(get_args(union)) for union in UNIONS)
    assert all(name.replace(".", "").isalpha() and name.islower() for name in names)


def test_text_and_bytes_are_the_same():
    assert codec.decode_client('{"type":"mark","label":"价格"}') == Mark(label="价格")
    assert codec.decode_client('{"type":"mark","label":"价格"}'.encode()) == Mark(label="价格")


@pytest.mark.parametrize("decode", [codec.decode_client, codec.decode_call_message, codec.decode_server])
def test_unknown_types_and_fields_are_ignored(decode):
    assert decode('{"type":"call.teleported","to":[1,2]}') is None
    assert codec.decode_client('{"type":"mark","label":"x","colour":"red"}') == Mark(label="x")
    assert codec.decode_server('{"type":"pong","t":1,"later":true}') == messages.Pong(t=1)


@pytest.mark.parametrize("text", ["", "hello", '{"type":', b"\xff\xfe", b'{"type":"mark","label":"\xff"}', "\ud800"])
def test_what_is_not_json_is_said_so(text):
    error = refused(text)
    assert (error.code, error.close_code) == ("message.not_json", 4400)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[]", ""),
        ("{}", "type"),
        ('{"type":3}', "$.type"),
        ('{"type":"card.ack","card_id":"c"}', "action"),
        ('{"type":"card.ack","card_id":"c","action":"eaten"}', "$.action"),
        ('{"type":"audio.gap","offset":-1,"samples":1}', "$.offset"),
        ('{"type":"call.start","v":"1"}', "$.v"),
        ('{"type":"call.start","v":1,"resume":{"call_id":"a"}}', "$.resume"),
        ('{"type":"call.start","v":1,"language":"at `$.media"}', "$.language"),
        ('{"type":"dtmf","digit":"12"}', "$.digit"),
        ('{"type":"ping","t":{"deep":1}}', "$.t"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(text, path):
    error = refused(text)
    assert (error.code, error.close_code) == ("message.invalid", 4400)
    assert path in error.message


@pytest.mark.parametrize(
    "media",
    [
        '{"encoding":"mp3","sample_rate":16000}',
        '{"encoding":"alaw","sample_rate":"8k"}',
        "7",
        '{"encoding":"alaw","sample_rate":8000,"channels":["dog"]}',
    ],
)
def test_a_wrong_field_below_media_is_unsupported_media(media):
    error = refused(f'{{"type":"call.start","v":1,"media":{media}}}')
    assert (error.code, error.close_code) == ("media.unsupported", 4406)


def test_another_version_is_refused_before_its_fields_are_read():
    error = refused('{"type":"call.start","v":2,"media":"whatever version 2 says"}')
    assert (error.code, error.close_code) == ("protocol.version", 4406)


def test_size_and_depth_are_bounded_for_clients_only():
    frame = json.dumps({"type": "mark", "label": "", "pad": "x" * codec.MAX_TEXT_BYTES})
    assert refused(frame).code == "message.too_large"
    event = b'{"type":"later.message","pad":"' + b"x" * codec.MAX_TEXT_BYTES + b'"}'
    assert codec.decode_call_message(event) is None
    assert refused('{"type":"mark","x":' + "[" * 60_000).code == "message.too_deep"


@settings(deadline=None)
@given(st.one_of(st.text(), st.binary(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_garbage_raises_only_protocol_errors(data):
    for decode in (codec.decode_client, codec.decode_call_message, codec.decode_server):
        assert outcome(decode, data) in codec.ERROR_CODES.keys() | {"fine"}


@settings(deadline=None)
@given(st.data())
def test_a_damaged_message_raises_only_protocol_errors(data):
    text = bytearray(codec.encode(data.draw(structs(CallStart))))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(codec.decode_client, bytes(text)) in codec.ERROR_CODES.keys() | {"fine"}


def test_defaults_of_a_minimal_start():
    start = codec.decode_client(b'{"type":"call.start","v":1,"media":{"encoding":"mulaw","sample_rate":8000}}')
    assert start == CallStart(v=1, media=MediaHeader(encoding="mulaw", sample_rate=8000))
    assert start.media.channels == ("rep", "customer")
    assert start.media.framing == "v1"


@pytest.mark.parametrize("t", [None, 1, 2.5, "abc"])
def test_ping_carries_any_simple_value(t):
    assert codec.decode_client(codec.encode(Ping(t=t))) == Ping(t=t)


@pytest.mark.parametrize(
    ("error", "close", "retryable"),
    [
        (RemoteProtocolError("frame.type", "no", close_code=4400), 4400, False),
        (RemoteProtocolError("call.idle", "zzz", close_code=4408), 4408, True),
        (AccessError("auth.missing", "who?", status=401), 4401, False),
        (AccessError("auth.forbidden", "no"), 4403, False),
        (NotFoundError("call.unknown", "where?"), 4404, False),
        (StorageError("disk.full", "full"), 1011, True),
        (StorageError("protocol.not_here", "stays open elsewhere"), 1011, True),
    ],
)
def test_errors_become_messages_and_close_codes(error, close, retryable):
    assert codec.close_code_for(error) == close
    assert codec.error_message(error) == Error(code=error.code, message=error.message, retryable=retryable)
    assert codec.error_message(error, closing=False).retryable is False


def test_the_close_codes_are_the_published_ones():
    retried = {code for code, row in codec.CLOSE_CODES.items() if row.retry}
    assert retried == {1001, 1006, 1011, 1012, 4408, 4413, 4429, 4503}
    assert {row.close for row in codec.ERROR_CODES.values()} <= {None, *codec.CLOSE_CODES}


def test_unknown_close_codes_are_not_retried():
    error = RemoteProtocolError("odd.one", "?", close_code=4999)
    assert codec.error_message(error).retryable is False


def test_messages_are_compact_json_objects_with_their_type():
    assert codec.encode(Mark(label="a")) == b'{"type":"mark","label":"a"}'
    assert msgspec.json.decode(codec.encode(Error(code="a.b", message="c")))["retryable"] is False
