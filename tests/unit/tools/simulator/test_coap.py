from random import Random

import pytest
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from tests.support.coap import read
from tests.support.replies import empty, reply, request
from tools.simulator.coap import Answer, CoapClient, CoapSettings, NoAnswer
from tools.simulator.messages import new_message


@pytest.fixture
def client():
    return CoapClient(CoapSettings(), Random(1))


def begin(client, now=0.0, payload=b""):
    client.send_request(new_message(Code.POST, payload), now)
    (wire,) = client.messages_to_send()
    return wire


def test_request_goes_out_confirmable_and_once(client):
    message = read(begin(client))
    assert (message.mtype, message.code) == (Type.CON, Code.POST)
    assert client.messages_to_send() == []


def test_piggybacked_response_ends_the_request(client):
    wire = begin(client)
    assert client.receive(reply(wire, Code.CREATED, location=("rd", "x")), 0.1) == Answer(
        Code.CREATED, ("rd", "x")
    )
    assert not client.is_waiting
    assert client.get_timer() is None


def test_first_retransmission_comes_within_two_to_three_seconds(client):
    wire = begin(client)
    due = client.get_timer()
    assert 2 <= due <= 3
    assert client.handle_timer(due - 0.001) is None
    assert client.messages_to_send() == []
    assert client.handle_timer(due) is None
    assert client.messages_to_send() == [wire]


def test_waits_double_and_the_request_is_given_up_after_four_retransmissions(client):
    begin(client)
    dues = []
    outcome = None
    while outcome is None:
        dues.append(client.get_timer())
        outcome = client.handle_timer(dues[-1])
    assert outcome is NoAnswer.TIMEOUT
    assert [round(due / dues[0], 6) for due in dues] == [1, 3, 7, 15, 31]
    assert len(client.messages_to_send()) == 4


def test_acknowledged_request_is_not_retransmitted_but_waits_for_its_response(client):
    wire = begin(client)
    assert client.receive(empty(Type.ACK, read(wire).mid), 1.0) is None
    assert client.get_timer() == 61.0
    response = reply(wire, Code.CHANGED, mtype=Type.CON, mid=9)
    assert client.receive(response, 5.0) == Answer(Code.CHANGED)
    assert client.messages_to_send() == [empty(Type.ACK, 9)]


def test_second_acknowledgement_does_not_prolong_the_wait(client):
    wire = begin(client)
    client.receive(empty(Type.ACK, read(wire).mid), 1.0)
    client.receive(empty(Type.ACK, read(wire).mid), 30.0)
    assert client.handle_timer(61.0) is NoAnswer.TIMEOUT


def test_separate_response_before_its_acknowledgement_counts(client):
    wire = begin(client)
    assert client.receive(reply(wire, Code.CHANGED, mtype=Type.NON, mid=9), 0.5) == Answer(Code.CHANGED)


def test_repeated_separate_response_is_acknowledged_again(client):
    wire = begin(client)
    response = reply(wire, Code.CHANGED, mtype=Type.CON, mid=9)
    client.receive(response, 0.5)
    assert client.receive(response, 0.6) is None
    assert client.messages_to_send() == [empty(Type.ACK, 9)] * 2


def test_confirmable_response_to_nothing_is_reset(client):
    stray = request(Code.CHANGED, mid=9, token=b"??")
    assert client.receive(stray, 0.0) is None
    assert client.messages_to_send() == [empty(Type.RST, 9)]


def test_response_to_an_earlier_message_id_is_ignored(client):
    wire = begin(client)
    assert client.receive(reply(wire, Code.CHANGED, mid=read(wire).mid ^ 1), 0.5) is None
    assert client.is_waiting


def test_reset_ends_the_request(client):
    wire = begin(client)
    assert client.receive(empty(Type.RST, read(wire).mid), 0.5) is NoAnswer.RESET


def test_empty_messages_about_other_ids_are_ignored(client):
    wire = begin(client)
    for mtype in (Type.ACK, Type.RST, Type.NON):
        assert client.receive(empty(mtype, read(wire).mid ^ 1), 0.5) is None
    assert client.receive(empty(Type.NON, read(wire).mid), 0.5) is None
    assert client.is_waiting


def test_ping_is_reset(client):
    assert client.receive(empty(Type.CON, 5), 0.0) is None
    assert client.messages_to_send() == [empty(Type.RST, 5)]


@pytest.mark.parametrize(("asked", "answered"), [(Type.CON, Type.ACK), (Type.NON, Type.NON)])
def test_requests_of_the_server_get_not_found_of_the_same_kind(client, asked, answered):
    assert client.receive(request(Code.GET, "3", "0", mtype=asked, mid=5), 0.0) is None
    (answer,) = client.messages_to_send()
    assert (read(answer).code, read(answer).mtype, read(answer).token) == (Code.NOT_FOUND, answered, b"s")
    if answered is Type.ACK:
        assert read(answer).mid == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 20,
        bytes.fromhex("40e10001"),
        request(Code.GET, mtype=Type.ACK),
        request(Code.GET, mtype=Type.RST),
    ],
)
def test_noise_is_ignored(client, data):
    begin(client)
    assert client.receive(data, 0.0) is None
    assert client.messages_to_send() == []
    assert client.is_waiting


def test_abandoned_request_takes_no_answer(client):
    wire = begin(client)
    client.abandon()
    assert client.receive(reply(wire, Code.CHANGED), 0.1) is None
    assert client.handle_timer(1000.0) is None


def test_max_age_is_told(client):
    wire = begin(client)
    assert client.receive(reply(wire, Code.SERVICE_UNAVAILABLE, max_age=30), 0.1) == Answer(
        Code.SERVICE_UNAVAILABLE, (), 30
    )


def test_message_ids_wrap():
    client = CoapClient(CoapSettings(), Random(1))
    mids = []
    for _ in range(0x10001):
        client.send_request(new_message(Code.GET), 0.0)
        mids.append(read(client.messages_to_send()[0]).mid)
        if len(mids) > 2 and mids[-1] < mids[-2]:
            break
    assert (mids[-2], mids[-1]) == (0xFFFF, 0)


def test_echo_of_the_server_is_returned_once(client):
    wire = begin(client)
    assert client.receive(reply(wire, Code.UNAUTHORIZED, echo=b"proof"), 0.1) is None
    (again,) = client.messages_to_send()
    assert read(again).opt.echo == b"proof"
    assert client.receive(reply(again, Code.UNAUTHORIZED, echo=b"other"), 0.2) == Answer(Code.UNAUTHORIZED)


def take_blocks(client, wire, exponent=None):
    """Answer every block until the last; gives the blocks and the last one's bytes."""
    blocks = []
    while True:
        block = read(wire).opt.block1
        blocks.append((block.block_number, block.more, block.size_exponent, read(wire).payload))
        if not block.more:
            return blocks, wire
        size = block.size_exponent if exponent is None else exponent
        assert (
            client.receive(reply(wire, Code.CONTINUE, block1=(block.block_number, True, size)), 0.1) is None
        )
        (wire,) = client.messages_to_send()


def test_long_payload_goes_block_by_block():
    client = CoapClient(CoapSettings(block_exponent=2), Random(1))
    payload = bytes(range(150))
    blocks, last = take_blocks(client, begin(client, payload=payload))
    assert [block[:3] for block in blocks] == [(0, True, 2), (1, True, 2), (2, False, 2)]
    assert b"".join(block[3] for block in blocks) == payload
    assert client.receive(reply(last, Code.CREATED, block1=(2, False, 2)), 0.2) == Answer(Code.CREATED)


def test_payload_of_just_one_block_goes_without_blocks():
    client = CoapClient(CoapSettings(block_exponent=2), Random(1))
    assert read(begin(client, payload=bytes(64))).opt.block1 is None


def test_server_may_ask_for_smaller_blocks():
    client = CoapClient(CoapSettings(block_exponent=2), Random(1))
    payload = bytes(range(150))
    blocks, _ = take_blocks(client, begin(client, payload=payload), exponent=0)
    assert blocks[1][:3] == (4, True, 0)
    assert b"".join(block[3] for block in blocks) == payload


@pytest.mark.parametrize("block", [(5, True, 2), None])
def test_continue_for_another_block_ends_the_request(block):
    client = CoapClient(CoapSettings(block_exponent=2), Random(1))
    wire = begin(client, payload=bytes(150))
    options = {} if block is None else {"block1": block}
    assert client.receive(reply(wire, Code.CONTINUE, **options), 0.1) == Answer(Code.CONTINUE)


def test_continue_after_the_last_block_ends_the_request():
    client = CoapClient(CoapSettings(block_exponent=2), Random(1))
    wire = begin(client, payload=bytes(64))
    assert client.receive(reply(wire, Code.CONTINUE, block1=(0, True, 2)), 0.1) == Answer(Code.CONTINUE)


def test_answer_reads_as_its_code():
    assert str(Answer(Code.FORBIDDEN)) == "4.03"
