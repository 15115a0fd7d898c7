from random import Random

import pytest
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from tests.support.coap import read
from tests.support.replies import reply
from tools.simulator.client.firmware import Result
from tools.simulator.coap import CoapSettings
from tools.simulator.download import Download, PackageUri, parse_package_uri
from tools.simulator.messages import encode_message, new_message

FILE = bytes(range(250)) * 9


@pytest.mark.parametrize(
    ("uri", "meaning"),
    [
        ("coap://files.example/a/b%20c?v=2", PackageUri("files.example", 5683, ("a", "b c"), ("v=2",))),
        ("coap://[::1]:1234/app", PackageUri("::1", 1234, ("app",), ())),
        ("https://files.example/app", Result.UNSUPPORTED_PROTOCOL),
        ("files.example/app", Result.INVALID_URI),
        ("coap://files.example:x/", Result.INVALID_URI),
        ("coap://[::1/", Result.INVALID_URI),
    ],
)
def test_uri_is_read_or_has_its_result(uri, meaning):
    assert parse_package_uri(uri) == meaning


@pytest.fixture
def download():
    one = Download(PackageUri("files.example", 5683, ("app",), ()), CoapSettings(), Random(1))
    one.start(0.0)
    return one


def serve(download, content, etag=b"e", exponent=5):
    """Answer the block that is asked for."""
    (wire,) = download.datagrams_to_send()
    asked = read(wire)
    assert asked.opt.uri_path == ("app",)
    number = asked.opt.block2.block_number if asked.opt.block2 is not None else 0
    size = 1 << (exponent + 4)
    piece = content[number * size : (number + 1) * size]
    block = (number, (number + 1) * size < len(content), exponent)
    message = new_message(Code.CONTENT, piece, asked.token)
    message.opt.etag, message.opt.block2 = etag, block
    download.receive_datagram(encode_message(message, Type.ACK, asked.mid), 1.0)


def test_file_comes_block_by_block(download):
    while download.outcome is None:
        serve(download, FILE)
    assert download.outcome == FILE
    assert download.get_timer() is None


def test_file_that_changes_meanwhile_is_fetched_anew(download):
    serve(download, FILE)
    serve(download, FILE[::-1], b"f")
    while download.outcome is None:
        serve(download, FILE[::-1], b"f")
    assert download.outcome == FILE[::-1]


def test_missing_file_is_a_wrong_uri(download):
    (wire,) = download.datagrams_to_send()
    download.receive_datagram(reply(wire, Code.NOT_FOUND), 1.0)
    assert download.outcome is Result.INVALID_URI


def test_silent_server_is_a_lost_connection(download):
    while download.outcome is None:
        download.handle_timer(download.get_timer())
    assert download.outcome is Result.CONNECTION_LOST
