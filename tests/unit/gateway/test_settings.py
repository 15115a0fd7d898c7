"""The tree of settings: defaults the contract names, bounds, descriptions."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from gateway import resolved
from gateway.credentials.shares import new_private_key
from gateway.dtls.settings import CbcPolicy, EndpointConfig
from gateway.lwm2m.registration import Policy
from gateway.messaging.settings import MessagingSettings
from gateway.settings import (
    SECTIONS,
    CoapSettings,
    DownlinkSettings,
    DtlsSettings,
    GatewayConfig,
    RegistrationSettings,
    RegistrySettings,
    Section,
    ServerSettings,
    describe,
    setting_names,
)
from registry.settings import RegistrySettings as StoreSettings

PROMISED = {
    "dtls.retransmit_initial_s": "1",
    "dtls.handshakes_per_minute": "6000",
    "dtls.handshake_timeout_s": "60",
    "registration.min_lifetime_s": "1",
    "registration.lifetime_grace_s": "0",
    "registration.nosec_binding": "ip",
    "registration.allow_unlimited": "false",
    "server.coap_port": "5683",
    "server.coaps_port": "5684",
    "events.keep_s": "604800",
    "events.keep_values_s": "3600",
    "values.history": "100",
    "commands.ttl_s": "86400",
    "queue.awake_s": "93",
    "downlink.ack_timeout_s": "2",
    "downlink.max_retransmit": "4",
    "downlink.response_timeout_s": "60",
    "db.url": "sqlite:///nodegate.db",
}


def test_promised_settings_have_their_promised_defaults() -> None:
    described = {row.name: row.default for row in describe()}
    assert {name: described[name] for name in PROMISED} == PROMISED
    assert {"dtls.max_handshakes", "dtls.max_sessions"} <= set(described)


def test_ten_years_is_the_longest_lifetime_by_default() -> None:
    assert RegistrationSettings().max_lifetime_s == 10 * 365 * 86_400


def test_every_setting_says_what_it_means() -> None:
    assert [row.name for row in describe() if not row.meaning.endswith(".")] == []


def test_every_number_has_bounds_and_is_within_them() -> None:
    for row in describe():
        default = row.default.replace(".", "", 1)
        if default.isdigit():
            low, _, high = row.bounds.partition(" … ")
            assert float(low) <= float(row.default) <= float(high), row.name


def test_names_with_a_unit_agree_with_it() -> None:
    endings = {"s": "_s", "ms": "_ms", "bytes": ("_bytes", "cid_length")}
    assert [
        row.name for row in describe() if row.unit in endings and not row.name.endswith(endings[row.unit])
    ] == []


def test_setting_names_are_unique_and_in_the_order_of_the_tree() -> None:
    names = setting_names()
    assert len(names) == len(set(names))
    assert names[0] == "server.host"
    assert [name.partition(".")[0] for name in names] == sorted(
        (name.partition(".")[0] for name in names), key=list(SECTIONS).index
    )


def test_the_tree_is_frozen() -> None:
    config = GatewayConfig()
    with pytest.raises(ValidationError):
        config.dtls = DtlsSettings()
    with pytest.raises(ValidationError):
        config.dtls.node = 3


def test_defaults_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGATE_DTLS__NODE", "7")
    assert GatewayConfig().dtls.node == 0


def test_shortest_lifetime_above_the_longest_is_refused() -> None:
    with pytest.raises(ValidationError, match="no lifetime would be accepted"):
        RegistrationSettings(min_lifetime_s=100, max_lifetime_s=99)


@pytest.mark.parametrize("host", ["localhost", "1.2.3", "", "[::1]"])
def test_host_must_be_an_ip_address(host: str) -> None:
    with pytest.raises(ValidationError):
        ServerSettings(host=(host,))


@pytest.mark.parametrize("text", ["127.0.0.1,::1", " 127.0.0.1 , ::1 "])
def test_hosts_may_be_a_text_with_commas(text: str) -> None:
    assert ServerSettings.model_validate({"host": text}).host == ("127.0.0.1", "::1")


def test_hosts_may_be_a_list_but_not_none_at_all() -> None:
    assert ServerSettings.model_validate({"host": ["::1"]}).host == ("::1",)
    with pytest.raises(ValidationError):
        ServerSettings.model_validate({"host": ","})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValidationError):
        DtlsSettings(retransmit_initial_s=value)


def test_secret_is_not_shown() -> None:
    config = GatewayConfig.model_validate({"db": {"key": "ab" * 32}})
    assert "abab" not in repr(config)


DTLS_ELSEWHERE = {"certificate_file", "private_key_file", "trust_dir", "suites", "persist_sessions"}


def test_suites_are_those_of_the_engine_by_name() -> None:
    config = GatewayConfig()
    assert resolved.endpoint_config(config, None) == EndpointConfig(make_private=new_private_key)
    suites = ("TLS_PSK_WITH_AES_128_CCM_8", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8")
    config = GatewayConfig.model_validate({"dtls": {"suites": ",".join(suites), "cbc": "etm"}})
    made = resolved.endpoint_config(config, None)
    assert made.suites == (0xC0A8, 0xC0AE)
    assert made.cbc is CbcPolicy.ETM


@pytest.mark.parametrize(
    ("suites", "fault"),
    [
        ("TLS_PSK_WITH_AES_128_CCM8", "did you mean TLS_PSK_WITH_AES_128_CCM_8?"),
        ("tls_psk_with_aes_128_ccm_8", "did you mean TLS_PSK_WITH_AES_128_CCM_8?"),
        ("TLS_PSK_WITH_AES_128_CCM_8, rot13", "no cipher suite 'rot13'; docs/security.md names them all"),
        ("", "at least 1 item"),
    ],
)
def test_unknown_suites_are_refused(suites: str, fault: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(fault)):
        DtlsSettings.model_validate({"suites": suites})


@pytest.mark.parametrize(
    ("section", "value", "kept_elsewhere"),
    [
        (DtlsSettings(), EndpointConfig(), DTLS_ELSEWHERE),
        (CoapSettings(), MessagingSettings(), set()),
        (DownlinkSettings(), MessagingSettings().downlink, set()),
        (RegistrationSettings(), Policy(), {"lifetime_grace_s"}),
        (RegistrySettings(), StoreSettings(), {"snapshot_s", "poll_s"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_section_agrees_with_the_value_its_package_takes(
    section: Section, value: object, kept_elsewhere: set[str]
) -> None:
    names = set(type(section).model_fields) - kept_elsewhere
    assert {name: getattr(section, name) for name in names} == {name: getattr(value, name) for name in names}
