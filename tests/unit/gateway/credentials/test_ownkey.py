from cryptography import x509

from gateway.credentials.ownkey import credential_of, make_server_key
from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.trust import TrustedCertificate, verify_pinned
from tests.support.certificates import NOW_S

CENTURY_S = 36_525 * 86_400.0


def test_own_key_comes_back_with_a_certificate_that_fits_it() -> None:
    key = make_server_key()
    credential = credential_of(key)
    assert credential.chain == (key.certificate,)
    assert credential.prefers_raw
    certificate = x509.load_der_x509_certificate(key.certificate)
    certificate.verify_directly_issued_by(certificate)
    assert credential.key.public_key() == certificate.public_key()


def test_own_certificate_does_not_run_out() -> None:
    leaf = decode_leaf(make_server_key().certificate)
    assert isinstance(leaf, LeafCertificate)
    for now_s in (NOW_S, NOW_S + 50 * CENTURY_S):
        assert isinstance(verify_pinned(leaf, leaf.sha256, now_s), TrustedCertificate)


def test_no_two_gateways_have_the_same_key() -> None:
    assert make_server_key().private_key != make_server_key().private_key
