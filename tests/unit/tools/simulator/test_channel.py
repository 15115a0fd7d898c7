import pytest

from gateway.dtls.client import ClientConfig
from gateway.dtls.events import (
    ClientClosed,
    ClientData,
    ClientEstablished,
    ClientFailed,
    HandshakeFailure,
    SessionEnd,
)
from tools.simulator import channel as module
from tools.simulator.channel import ChannelData, ChannelDown, ChannelUp, PlainChannel, SecureChannel


class FakeClient:
    """Stands for one DTLS connection; gives the events it was told to."""

    made: list["FakeClient"]

    def __init__(self, config, entropy):
        self.config, self.entropy = config, entropy
        self.calls = []
        self.events = []
        self.is_established = False
        self.outgoing = []
        FakeClient.made.append(self)

    def start(self, now):
        self.calls.append(("start", now))

    def receive_datagram(self, datagram, now):
        self.calls.append((datagram, now))
        return self.events

    def send(self, data, now):
        self.outgoing.append(data)

    def close(self, now):
        self.outgoing.append(b"close_notify")

    def handle_timer(self, now):
        return self.events

    def get_timer(self):
        return 7.0

    def datagrams_to_send(self):
        outgoing, self.outgoing = self.outgoing, []
        return outgoing


@pytest.fixture
def secure(monkeypatch):
    FakeClient.made = []
    monkeypatch.setattr(module, "Client", FakeClient)
    return SecureChannel(ClientConfig(identity=b"node", psk=b"k" * 16), bytes)


def test_plain_channel_is_up_as_soon_as_it_is_opened():
    channel = PlainChannel()
    assert not channel.is_up
    assert channel.open(1.0) == (ChannelUp(),)
    assert channel.is_up
    channel.drop()
    assert not channel.is_up


def test_plain_channel_passes_messages_as_they_are():
    channel = PlainChannel()
    channel.open(0.0)
    channel.send(b"message", 0.0)
    assert channel.datagrams_to_send() == [b"message"]
    assert channel.datagrams_to_send() == []
    assert channel.receive_datagram(b"answer", 0.0) == (ChannelData(b"answer"),)
    assert (channel.handle_timer(9.0), channel.get_timer()) == ((), None)
    channel.close(1.0)
    assert not channel.is_up


def test_closed_secure_channel_does_nothing(secure):
    assert not secure.is_up
    assert secure.receive_datagram(b"x", 0.0) == ()
    assert secure.handle_timer(0.0) == ()
    assert secure.get_timer() is None
    secure.send(b"x", 0.0)
    secure.close(0.0)
    assert secure.datagrams_to_send() == []


def test_opening_starts_a_new_connection_each_time(secure):
    assert secure.open(1.0) == ()
    secure.open(2.0)
    assert [client.calls for client in FakeClient.made] == [[("start", 1.0)], [("start", 2.0)]]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ClientEstablished(), ChannelUp()),
        (ClientData(b"data"), ChannelData(b"data")),
        (ClientFailed(HandshakeFailure.TIMEOUT), ChannelDown("timeout")),
        (ClientClosed(SessionEnd.CLOSE_NOTIFY), ChannelDown("closed by the peer")),
    ],
)
def test_events_of_the_connection_are_those_of_the_channel(secure, event, expected):
    secure.open(0.0)
    (client,) = FakeClient.made
    client.events = [event]
    assert list(secure.receive_datagram(b"x", 1.0)) == [expected]
    assert list(secure.handle_timer(1.0)) == [expected]


def test_secure_channel_is_up_with_its_session(secure):
    secure.open(0.0)
    assert not secure.is_up
    FakeClient.made[0].is_established = True
    assert secure.is_up
    assert secure.get_timer() == 7.0


def test_close_says_good_bye_and_drop_does_not(secure):
    secure.open(0.0)
    secure.send(b"too early", 0.0)
    FakeClient.made[0].is_established = True
    secure.send(b"last", 0.0)
    secure.close(1.0)
    assert secure.datagrams_to_send() == [b"last", b"close_notify"]
    secure.open(2.0)
    secure.drop()
    assert secure.datagrams_to_send() == []
    assert not secure.is_up
