from random import Random

import pytest
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from tests.support.coap import read
from tools.simulator.client.exchanges import Response
from tools.simulator.client.observing import Notification
from tools.simulator.coap import CoapSettings
from tools.simulator.messages import MessageIds, encode_message, new_message
from tools.simulator.serving import MAX_PENDING, CoapServer

LONG = bytes(range(250)) * 20


class Bench:
    """A server with a handler that notes what reaches it."""

    def __init__(self, exponent=6, response=None):
        self.asked = []
        self.refused = []
        self.response = response or Response(Code.CONTENT, b"value", 0)
        random = Random(1)
        settings = CoapSettings(block_exponent=exponent)
        self.begun = []
        self.server = CoapServer(
            self._handle,
            settings,
            random,
            MessageIds(random),
            on_refused=self.refused.append,
            on_body=lambda path, now: self.begun.append(path),
        )

    def _handle(self, request, now):
        self.asked.append(request)
        return self.response

    def ask(self, code, payload=b"", *, mtype=Type.CON, mid=1, token=b"t", **options):
        message = new_message(code, payload, token)
        message.opt.uri_path = ("3", "0")
        for name, value in options.items():
            setattr(message.opt, name, value)
        self.server.answer(read(encode_message(message, mtype, mid)), 0.0)
        return self.sent()

    def sent(self):
        (wire,) = self.server.messages_to_send()
        return read(wire)

    def tell(self, token=b"o", *, is_confirmable=False, payload=b"v", now=0.0):
        response = Response(Code.CONTENT, payload, 0, observe=7)
        self.server.notify(Notification(token, response, is_confirmable), now)

    def put_in_blocks(self, payload, exponent):
        size = 1 << (exponent + 4)
        for number in range(-(-len(payload) // size)):
            piece = payload[number * size : (number + 1) * size]
            more = (number + 1) * size < len(payload)
            yield self.ask(
                Code.PUT, piece, mid=number, token=bytes((number,)), block1=(number, more, exponent)
            )


def test_request_is_handed_on_whole_and_answered_in_its_acknowledgement():
    bench = Bench()
    answer = bench.ask(Code.GET, accept=112, observe=0, uri_query=("a=1",))
    assert (answer.mtype, answer.mid, answer.token, answer.code) == (Type.ACK, 1, b"t", Code.CONTENT)
    assert (answer.payload, int(answer.opt.content_format)) == (b"value", 0)
    (asked,) = bench.asked
    assert (asked.path, asked.queries, asked.accept, asked.observe) == (("3", "0"), ("a=1",), 112, 0)


def test_non_confirmable_request_gets_a_non_confirmable_answer():
    assert Bench().ask(Code.GET, mtype=Type.NON).mtype is Type.NON


def test_request_that_comes_twice_is_done_once():
    bench = Bench()
    first, second = bench.ask(Code.POST), bench.ask(Code.POST)
    assert len(bench.asked) == 1
    assert first.payload == second.payload
    bench.ask(Code.POST, token=b"other")
    assert len(bench.asked) == 2, "the same message id with another token is another request"


def test_answers_to_answers_are_not_given():
    bench = Bench()
    bench.server.answer(read(encode_message(new_message(Code.GET), Type.ACK, 1)), 0.0)
    assert bench.server.messages_to_send() == []


def test_long_answer_goes_block_by_block_under_one_tag():
    bench = Bench(response=Response(Code.CONTENT, LONG, 42))
    whole, tags, number = b"", set(), 0
    while True:
        answer = bench.ask(Code.GET, mid=number, observe=0, block2=(number, False, 5) if number else None)
        whole += answer.payload
        tags.add(bytes(answer.opt.etag))
        block = answer.opt.block2
        if not block.more:
            break
        number = len(whole) >> 9
    assert whole == LONG
    assert len(tags) == 1
    assert [one.observe for one in bench.asked[1:]] == [None] * (len(bench.asked) - 1)


def test_block_beyond_the_end_is_refused():
    bench = Bench(response=Response(Code.CONTENT, b"short", 42))
    assert bench.ask(Code.GET, block2=(9, False, 5)).code is Code.BAD_OPTION


@pytest.mark.parametrize("exponent", [6, 4])
def test_long_request_is_put_together(exponent):
    bench = Bench(response=Response(Code.CHANGED))
    answers = list(bench.put_in_blocks(LONG, exponent))
    assert [one.code for one in answers[:-1]] == [Code.CONTINUE] * (len(answers) - 1)
    assert answers[-1].code is Code.CHANGED
    (asked,) = bench.asked
    assert asked.payload == LONG
    assert bench.begun == [("3", "0")]


def test_device_with_small_blocks_says_so_and_takes_the_first_part():
    bench = Bench(exponent=4)
    answer = bench.ask(Code.PUT, LONG[:1024], block1=(0, True, 6))
    assert answer.opt.block1.size_exponent == 4
    assert bench.ask(Code.PUT, LONG[256:512], mid=2, block1=(1, True, 4)).code is Code.CONTINUE


@pytest.mark.parametrize("number", [1, 3])
def test_block_out_of_order_is_incomplete(number):
    bench = Bench()
    if number == 3:
        bench.ask(Code.PUT, LONG[:1024], mid=7, block1=(0, True, 6))
    answer = bench.ask(Code.PUT, LONG[:1024], block1=(number, True, 6))
    assert answer.code is Code.REQUEST_ENTITY_INCOMPLETE
    assert not bench.asked


def test_body_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr("tools.simulator.serving.MAX_BODY_BYTES", 2000)
    answers = list(Bench().put_in_blocks(LONG, 6))
    assert answers[1].code is Code.REQUEST_ENTITY_TOO_LARGE


def test_notification_carries_token_and_sequence():
    bench = Bench()
    bench.tell()
    told = bench.sent()
    assert (told.mtype, told.token, told.opt.observe, told.payload) == (Type.NON, b"o", 7, b"v")


def test_long_notification_begins_with_its_first_block():
    bench = Bench()
    bench.tell(payload=LONG)
    told = bench.sent()
    assert (len(told.payload), told.opt.block2.more) == (1024, True)


def test_reset_of_a_notification_is_told():
    bench = Bench()
    bench.tell()
    bench.server.receive_empty(Type.RST, bench.sent().mid, 1.0)
    assert bench.refused == [b"o"]
    bench.server.receive_empty(Type.RST, 4711, 1.0)
    assert bench.refused == [b"o"]


def test_confirmable_notification_is_repeated_until_acknowledged():
    bench = Bench()
    bench.tell(is_confirmable=True)
    first = bench.sent()
    due = bench.server.get_timer()
    bench.server.handle_timer(due - 0.01)
    bench.server.handle_timer(due)
    assert bench.sent().mid == first.mid
    bench.server.receive_empty(Type.ACK, first.mid, due)
    assert bench.server.get_timer() is None
    assert not bench.refused


def test_observer_that_never_acknowledges_is_taken_for_gone():
    bench = Bench()
    bench.tell(is_confirmable=True)
    while (due := bench.server.get_timer()) is not None:
        bench.server.handle_timer(due)
    assert len(bench.server.messages_to_send()) == 5
    assert bench.refused == [b"o"]


def test_one_confirmable_notification_at_a_time_and_of_each_observation_the_newest():
    bench = Bench()
    bench.tell(is_confirmable=True)
    for payload in (b"old", b"new"):
        bench.tell(b"p", is_confirmable=True, payload=payload)
    first = bench.sent()
    bench.server.receive_empty(Type.ACK, first.mid, 1.0)
    assert bench.sent().payload == b"new"


def test_waiting_notifications_are_bounded():
    bench = Bench()
    for number in range(MAX_PENDING + 5):
        bench.tell(bytes((number,)), is_confirmable=True)
    sent = []
    while bench.server.get_timer() is not None:
        sent.append(bench.sent())
        bench.server.receive_empty(Type.RST, sent[-1].mid, 1.0)
    assert len(sent) == MAX_PENDING + 1


def test_forgotten_server_is_told_nothing():
    bench = Bench()
    bench.tell(is_confirmable=True)
    bench.tell(b"p", is_confirmable=True)
    bench.server.forget()
    assert bench.server.get_timer() is None
