from hashlib import sha256

from gateway.credentials.shown import describe_shown, to_pem
from registry.serverkey import ShownServerKey
from tests.support.certificates import authority, make, spki_of


def test_chain_is_shown_in_place_of_an_own_certificate() -> None:
    ca = authority()
    server = ca.issue("gateway.example")
    pem = to_pem([server.der, ca.der])
    assert pem == server.pem + ca.pem
    shown = describe_shown(ShownServerKey(make("own").der, pem))
    assert shown["certificate"] == pem.decode()
    assert shown["sha256"] == sha256(spki_of(server)).hexdigest()


def test_own_certificate_is_shown_in_pem() -> None:
    own = make("own")
    assert describe_shown(ShownServerKey(own.der, None))["certificate"] == own.pem.decode()


def test_gateway_that_never_ran_shows_nothing() -> None:
    assert set(describe_shown(ShownServerKey(None, None)).values()) == {None}
