"""Negative catalogue, A: cookies. Odd hellos are in `test_hello_forms`, floods in `test_hello_floods`."""

from __future__ import annotations

from hashlib import sha256

import pytest

from gateway.address import Address
from gateway.dtls.events import SessionEnded
from gateway.dtls.fragments import fragment
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.record import encode_record
from gateway.dtls.settings import EndpointConfig
from tests.support.dtls_attack import (
    ELSEWHERE,
    Bystander,
    cookie_of,
    counted,
    dropped,
    hello_record,
    is_hello_verify_request,
    memory_grows_less_than,
    raw_hello,
)
from tests.support.dtls_cases import is_all_over
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    Entropy,
    Hello,
    RawClient,
    Server,
    only,
)

LIFETIME_S = EndpointConfig().cookie_secret_lifetime_s


# --- A1 … A5: nothing before the cookie


@pytest.mark.parametrize("hello", [Hello(), Hello(suites=(0xC0A8,), extensions={}), Hello().with_cid(b"")])
def test_A1_hello_without_cookie_gets_only_a_smaller_hello_verify_request(
    server: Server, hello: Hello
) -> None:
    client = RawClient(server, hello)
    datagram = client.client_hello()
    with counted(server, hello_verify_requests=1):
        assert client.send(datagram) == []
    (reply,) = client.replies
    assert is_hello_verify_request(reply)
    assert len(reply) <= len(datagram)
    assert is_all_over(server)


def test_A1_hellos_without_cookie_leave_nothing_behind(server: Server) -> None:
    endpoint = server.endpoint
    datagram = RawClient(server).client_hello()
    endpoint.receive_datagram(datagram, ADDRESS, server.now)
    endpoint.datagrams_to_send()
    with memory_grows_less_than(16_384):
        for number in range(5_000):
            address = Address(f"192.0.2.{number % 256}", number)
            endpoint.receive_datagram(datagram, address, server.now)
            assert len(endpoint.datagrams_to_send()) == 1
    assert endpoint.get_timer() is None


OTHER_HELLOS = {
    "random": Hello(random=b"R" * 32),
    "suites": Hello(suites=(0xC0A4,)),
    "order of suites": Hello(suites=Hello().suites[::-1]),
    "version": Hello(version=0xFEFC),
    "session id": Hello(session_id=b"s"),
}
OTHER_ADDRESSES = [
    ADDRESS._replace(host="192.0.2.2"),
    ADDRESS._replace(port=ADDRESS.port + 1),
    ADDRESS._replace(scope=3),
    # Both rows must not be one when they are put behind each other.
    Address("192.0.2.14", 40_000)._replace(port=0),
]


@pytest.mark.parametrize("other", OTHER_HELLOS.values(), ids=list(OTHER_HELLOS))
def test_A2_cookie_of_another_hello_gets_a_new_one(server: Server, other: Hello) -> None:
    client = RawClient(server)
    client.get_cookie()
    client.hello = other
    with counted(server, cookies_refused=1, hello_verify_requests=1):
        assert client.send(client.client_hello()) == []
    assert cookie_of(client.replies[0]) != client.cookie
    assert is_all_over(server)


@pytest.mark.parametrize("address", OTHER_ADDRESSES, ids=str)
def test_A2_cookie_of_another_address_gets_a_new_one(server: Server, address: Address) -> None:
    client = RawClient(server)
    client.get_cookie()
    with counted(server, cookies_refused=1, hello_verify_requests=1):
        assert client.send(client.client_hello(), address=address) == []
    assert cookie_of(client.replies[0]) != client.cookie
    assert is_all_over(server)


def test_A2_cookie_of_another_server_gets_a_new_one(server: Server) -> None:
    client = RawClient(server)
    client.get_cookie()
    client.server = Server()
    client.server.endpoint = type(server.endpoint)(server.config, Entropy("another"), server.now)
    with counted(client.server, cookies_refused=1, hello_verify_requests=1):
        assert client.send(client.client_hello()) == []
    assert is_all_over(client.server)


@pytest.mark.parametrize("length", [1, 8, 15, 17, 20, 32, 254, 255])
def test_A3_cookie_of_another_length_gets_a_new_one(server: Server, length: int) -> None:
    client = RawClient(server)
    right = client.get_cookie()
    client.cookie = (right * 16)[:length]
    with counted(server, cookies_refused=1, hello_verify_requests=1):
        assert client.send(client.client_hello()) == []
    assert cookie_of(client.replies[0]) == right
    assert is_all_over(server)


def test_A3_empty_cookie_is_none(server: Server) -> None:
    client = RawClient(server)
    with counted(server, hello_verify_requests=2):
        client.send(client.client_hello())
        client.send(client.client_hello())
    assert is_all_over(server)


@pytest.mark.parametrize("announced", [17, 128, 255])
def test_A3_cookie_that_runs_out_of_the_hello_is_dropped(server: Server, announced: int) -> None:
    client = RawClient(server, Hello(suites=(0xC0A8,), extensions={}))
    cookie = client.get_cookie()
    body = raw_hello(cookie=bytes((announced,)) + cookie, suites=b"", compression=b"")
    with dropped(server, hello_malformed=1):
        server.give(hello_record(body))


def test_A4_resumption_of_an_unknown_session_does_not_pass_the_cookie_by(server: Server) -> None:
    client = RawClient(server, Hello(session_id=b"s" * 32))
    with counted(server, hello_verify_requests=1):
        client.get_cookie()
    assert is_all_over(server)
    client.begin()
    assert client.server_hello is not None
    assert client.server_hello.session_id != b"s" * 32
    client.finish()
    assert len(server.sessions) == 1


START_PATHS = {
    "first hello": hello_record(Hello().body()),
    "as second message": hello_record(Hello().body(), message_seq=1, sequence=1),
    "late message": hello_record(Hello().body(), message_seq=63, sequence=900),
    "resumption": hello_record(Hello(session_id=b"s" * 32).body()),
    "DTLS 1.0 record": hello_record(Hello().body(), version=0xFEFF),
    "cookie of zeros": hello_record(Hello().body(bytes(16)), message_seq=1),
}


@pytest.mark.parametrize("hello", START_PATHS.values(), ids=list(START_PATHS))
@pytest.mark.parametrize("before", ["nothing", "handshake", "session", "failure"])
def test_A5_no_start_goes_past_the_cookie(server: Server, hello: bytes, before: str) -> None:
    client = RawClient(server, Hello(random=b"1" * 32))
    if before != "nothing":
        client.begin()
    if before == "session":
        client.finish()
    elif before == "failure":
        client.send(client.record(ALERT, b"\2\x28"))
    population = server.endpoint.session_count, server.endpoint.handshake_count
    assert client.send(hello) == []
    assert [is_hello_verify_request(reply) for reply in client.replies] == [True]
    assert (server.endpoint.session_count, server.endpoint.handshake_count) == population


@pytest.mark.parametrize("message_type", [type_ for type_ in HandshakeType if type_ != 1])
def test_A5_no_other_message_starts_a_handshake(server: Server, message_type: int) -> None:
    message = encode_message(message_type, 0, Hello().body())
    with dropped(server, unknown_peer=1):
        server.give(encode_record(HANDSHAKE, 0, message))


# --- A6: amplification


def unverified_datagrams() -> list[bytes]:
    """What a stranger may send: hellos of all kinds, other messages, and all of them damaged."""
    hello = hello_record(Hello().with_cid(bytes(255)).body())
    whole = [
        *START_PATHS.values(),
        hello,
        hello + hello,
        hello_record(raw_hello()),
        encode_record(ALERT, 0, b"\2\x28"),
        encode_record(CHANGE_CIPHER_SPEC, 0, b"\1"),
        encode_record(APPLICATION_DATA, 0, b"data"),
        b"\x19\xfe\xfd\0\1" + bytes(30),
        b"\x17\xfe\xfd\0\1\0\0\0\0\0\0\0\x10" + bytes(16),
    ]
    entropy = Entropy("damage")
    damaged = []
    for _ in range(100):
        for datagram in whole:
            where, what = int.from_bytes(entropy(2), "big") % len(datagram), entropy(1)
            damaged.append(datagram[:where] + what + datagram[where + 1 :])
            damaged.append(datagram[:where])
    return whole + damaged


def test_A6_no_answer_to_an_unverified_address_is_longer_than_what_it_answers(server: Server) -> None:
    datagrams = unverified_datagrams()
    assert len(datagrams) > 2_000
    answered = 0
    for datagram in datagrams:
        server.give(datagram)
        answer = b"".join(server.take())
        answered += bool(answer)
        # Damage that hits a fragment's length makes pieces: those are weighed together below.
        assert len(answer) <= len(datagram)
    assert answered > 100
    assert is_all_over(server)


@pytest.mark.parametrize("size", [13, 14, 20, 40])
def test_A6_hello_in_small_pieces_gets_less_than_it_weighs(server: Server, size: int) -> None:
    message = encode_message(HandshakeType.CLIENT_HELLO, 0, raw_hello())
    given_bytes = 0
    for round_number in range(5):
        for number, piece in enumerate(fragment(message, size)):
            record = encode_record(HANDSHAKE, 100 * round_number + number, piece)
            given_bytes += len(record)
            server.give(record)
    answers = server.take()
    assert len(answers) == 5
    assert sum(map(len, answers)) <= given_bytes


# --- A7: age of cookies


@pytest.mark.parametrize("age", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("made_at", [0.0, 0.3, 0.99])
def test_A7_cookie_is_good_for_a_lifetime(server: Server, age: float, made_at: float) -> None:
    server.pass_time(made_at * LIFETIME_S)
    client = RawClient(server)
    client.get_cookie()
    server.pass_time(age * LIFETIME_S)
    client.begin()
    assert server.endpoint.handshake_count == 1


@pytest.mark.parametrize("made_at", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("others_at", [(), (1.0,), (1.99,), (0.7, 1.99), (1.2, 1.4, 1.99)])
def test_A7_cookie_is_no_good_after_two_lifetimes(
    server: Server, made_at: float, others_at: tuple[float, ...]
) -> None:
    start = server.now
    server.pass_time(made_at * LIFETIME_S)
    client = RawClient(server)
    client.get_cookie()
    for at in others_at:
        server.pass_time(start + at * LIFETIME_S - server.now)
        RawClient(server, Hello(random=b"o" * 32), address=ELSEWHERE).get_cookie()
    server.pass_time(start + (made_at + 2.001) * LIFETIME_S - server.now)
    with counted(server, cookies_refused=1, hello_verify_requests=1):
        client.send(client.client_hello())
    assert cookie_of(client.replies[0]) != client.cookie
    assert is_all_over(server)


# --- A8: a hello at the address of a live peer


@pytest.mark.parametrize("cid", [None, b"", b"cid"])
def test_A8_hello_without_cookie_from_a_live_address_leaves_its_session_alone(
    server: Server, cid: bytes | None
) -> None:
    bystander = Bystander(server, cid)
    for number in range(100):
        hello = Hello(random=sha256(b"%d" % number).digest()).body(b"c" * (number % 20))
        server.give(hello_record(hello), bystander.pair.address)
        assert server.endpoint.session_count == 1
        assert server.endpoint.handshake_count == 0
        if not number % 10:
            bystander.check()
    bystander.check()
    assert only(SessionEnded, server.events) == []
