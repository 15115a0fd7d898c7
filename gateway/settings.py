"""Every setting: its name, default, unit, bounds and meaning.

A tree of frozen values in sections. Does not know where values come from (`gateway.config`) nor
what they are for: ``app.py`` turns a section into the value that a package asks for.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.dtls.suites import PREFERRED_SUITES, SUITES, by_name
from registry.commands import MAX_TTL_S

SQLITE = "sqlite:///"
PREFIX = "NODEGATE_"
NESTING = "__"


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts, for the documentation."""

    name: str


def _split_at_commas(value: object) -> object:
    """Let the environment and flags, which have only text, say a list; a file may do so too."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _check_host(value: object) -> object:
    if isinstance(value, str):
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise ValueError(f"{value!r} is not an IP address (every interface: 0.0.0.0 and ::)") from None
    return value


def _check_suite(value: object) -> object:
    if isinstance(value, str) and by_name(value) is None:
        close = difflib.get_close_matches(value.upper(), [suite.name for suite in SUITES.values()], n=1)
        hint = f"did you mean {close[0]}?" if close else "docs/security.md names them all"
        raise ValueError(f"no cipher suite {value!r}; {hint}")
    return value


Seconds = Unit("s")
Bytes = Unit("bytes")
Port = Annotated[int, Field(ge=0, le=65535), Unit("port")]
Host = Annotated[str, BeforeValidator(_check_host)]
Hosts = Annotated[tuple[Host, ...], NoDecode, BeforeValidator(_split_at_commas), Field(min_length=1)]


Suites = Annotated[
    tuple[Annotated[str, BeforeValidator(_check_suite)], ...],
    NoDecode,
    BeforeValidator(_split_at_commas),
    Field(min_length=1),
]


class Section(BaseModel):
    """A table of the file: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )


class ServerSettings(Section):
    """Where the gateway listens."""

    host: Hosts = ("0.0.0.0", "::")
    "IP addresses to listen on, separated by commas. The default is every interface, IPv4 and IPv6."

    coap_port: Port = 5683
    "UDP port for plain CoAP; 0 lets the system choose."

    coaps_port: Port = 5684
    "UDP port for CoAP over DTLS; 0 lets the system choose."

    receive_buffer_bytes: Annotated[int, Field(ge=4096, le=1 << 30), Bytes] = 4 << 20
    "Receive buffer asked of the system for each socket. Linux grants at most `net.core.rmem_max`."


class DatabaseSettings(Section):
    """Where the registry lies and what opens its secrets."""

    url: str = f"{SQLITE}nodegate.db"
    "The registry. Also `NODEGATE_DB` and `--db`."

    key_file: Path | None = None
    """File with the key for sealed secrets, 64 hex digits. Unset: `DB.key` beside the database, made at
    first use. Also `NODEGATE_KEY_FILE`."""

    key: SecretStr | None = None
    "The key itself, 64 hex digits; wins over the file. Taken from `NODEGATE_KEY` only."


class RegistrySettings(Section):
    """How changes reach the disk."""

    group_window_s: Annotated[float, Field(ge=0, le=1), Seconds] = 0.02
    "How long a change waits for others to be committed with it."

    group_rows: Annotated[int, Field(ge=1, le=100_000), Unit("changes")] = 500
    "A group this large is committed at once."

    max_pending: Annotated[int, Field(ge=1, le=1_000_000), Unit("changes")] = 10_000
    "Changes that may wait for the disk; beyond them a Register is answered 5.03."

    snapshot_s: Annotated[float, Field(ge=1, le=3600), Seconds] = 30.0
    "How often the lease times that plain Updates renewed are written."

    poll_s: Annotated[float, Field(ge=0.01, le=10), Seconds] = 0.25
    "How often the gateway looks for changes made by the command line."


class RegistrationSettings(Section):
    """What a Register must be to be accepted."""

    min_lifetime_s: Annotated[int, Field(ge=1, le=315_360_000), Seconds] = 1
    "Shortest lifetime (`lt`) accepted; a shorter one is answered 4.00."

    max_lifetime_s: Annotated[int, Field(ge=1, le=4_294_967_295), Seconds] = 315_360_000
    "Longest lifetime accepted; a longer one is answered 4.00."

    allow_unlimited: bool = False
    "Accept a lifetime of 0, which never ends."

    lifetime_grace_s: Annotated[int, Field(ge=0, le=86_400), Seconds] = 0
    "Added to every lifetime before the registration is purged."

    nosec_binding: Literal["ip-port", "ip", "location"] = "ip"
    "What must be as it was at the Register, for an Update over plain CoAP. The location always is."

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min_lifetime_s > self.max_lifetime_s:
            raise ValueError("min_lifetime_s is above max_lifetime_s: no lifetime would be accepted")
        return self


class DtlsSettings(Section):
    """DTLS 1.2 towards the devices."""

    certificate_file: Path | None = None
    """The gateway's certificate: a PEM chain, its own first. Unset: it shows a key of its own. Read again on
    SIGHUP."""

    private_key_file: Path | None = None
    "Its key on P-256: PEM (PKCS #8 or SEC 1), not encrypted, and not readable by group or others."

    trust_dir: Path | None = None
    """Folder whose `*.pem` and `*.crt` files hold the CAs that devices' certificates may come from. A change
    counts for handshakes begun 5 s later."""

    suites: Suites = tuple(SUITES[number].name for number in PREFERRED_SUITES)
    "Cipher suites by their IANA names, the preferred first; every AEAD suite goes before any of CBC."

    cbc: Literal["any", "etm", "off"] = "any"
    """CBC suites for clients that offer no usable AEAD suite: for `any` of them, only with encrypt-then-MAC
    (`etm`), or never (`off`)."""

    resumption_s: Annotated[float, Field(ge=0, le=31_536_000), Seconds] = 86_400.0
    "How long a device may go on with an earlier session by its id, without a full handshake; 0 = not at all."

    persist_sessions: bool = True
    "Sessions go on after a restart or a crash; they lie sealed in `DB.sessions` beside the database."

    max_resumable: Annotated[int, Field(ge=1, le=10_000_000), Unit("devices")] = 200_000
    "Devices that can; beyond it the one with the oldest full handshake needs another."

    node: Annotated[int, Field(ge=0, le=255)] = 0
    "First byte of every connection id, by which several gateways behind one address can be told apart."

    cid_length: Annotated[int, Field(ge=0, le=32), Bytes] = 8
    "Length of the connection ids that the gateway gives; 0 = none are given."

    mtu_bytes: Annotated[int, Field(ge=256, le=16_384), Bytes] = 1200
    "Largest datagram of a handshake; smaller ones are tried when it gets no answer."

    retransmit_initial_s: Annotated[float, Field(ge=0.01, le=60), Seconds] = 1.0
    "Wait before the first retransmission of a flight."

    retransmit_factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    "Each further wait is this many times the one before."

    retransmit_max_s: Annotated[float, Field(ge=0.01, le=600), Seconds] = 60.0
    "No wait is longer than this."

    retransmit_count: Annotated[int, Field(ge=0, le=100), Unit("times")] = 5
    "Retransmissions of a flight before the handshake is given up."

    handshake_timeout_s: Annotated[float, Field(ge=0.1, le=3600), Seconds] = 60.0
    "A handshake without an accepted message for this long is given up."

    max_handshakes: Annotated[int, Field(ge=1, le=10_000_000), Unit("handshakes")] = 10_000
    "Handshakes under way at once, counted after the cookie came back; beyond it the oldest goes."

    handshakes_per_minute: Annotated[int, Field(ge=0, le=100_000_000), Unit("per minute")] = 6000
    "Handshakes that one address may begin, counted after the cookie came back; 0 = no limit."

    handshake_buffer_bytes: Annotated[int, Field(ge=1024, le=1 << 20), Bytes] = 4096
    "Kept for one handshake: fragments, and records that came before their key."

    max_sessions: Annotated[int, Field(ge=1, le=100_000_000), Unit("sessions")] = 1_000_000
    "Sessions kept; beyond it the one idle longest gives way, if it was idle for `dtls.stale_s`."

    stale_s: Annotated[float, Field(ge=0, le=31_536_000), Seconds] = 1800.0
    "A session idle for less never gives way: newcomers are refused instead."

    last_flight_s: Annotated[float, Field(ge=1, le=3600), Seconds] = 120.0
    "How long the last flight is kept for a client that did not get it."

    max_bad_records: Annotated[int, Field(ge=1, le=1_000_000), Unit("records")] = 32
    "Forged records in a row before a session is deaf for `dtls.bad_record_mute_s`."

    bad_record_mute_s: Annotated[float, Field(ge=0, le=3600), Seconds] = 4.0
    "How long a session is deaf after that."

    max_forgeries: Annotated[int, Field(ge=1, le=1 << 36), Unit("records")] = 1 << 20
    "Forged records over a session's life before it is ended."

    cookie_secret_lifetime_s: Annotated[float, Field(ge=1, le=3600), Seconds] = 60.0
    "A cookie is good for this long at least, and twice as long at most."

    hello_fragments_bytes: Annotated[int, Field(ge=4096, le=1 << 30), Bytes] = 65_536
    "One buffer for the fragments of everybody's ClientHello; beyond it the oldest goes."

    hello_fragments_s: Annotated[float, Field(ge=0.1, le=600), Seconds] = 5.0
    "How long such a fragment is kept."

    @model_validator(mode="after")
    def _check_suites(self) -> Self:
        chosen = [suite for suite in map(by_name, self.suites) if suite is not None]
        if self.cbc == "off" and all(suite.is_cbc for suite in chosen):
            raise ValueError("cbc is off and suites names CBC suites only: no handshake would succeed")
        return self


class CoapSettings(Section):
    """The CoAP message layer; upper-case names are those of RFC 7252 §4.8."""

    ack_timeout_s: Annotated[float, Field(ge=0.1, le=600), Seconds] = 2.0
    "Wait before the first retransmission of a confirmable message (ACK_TIMEOUT)."

    ack_random_factor: Annotated[float, Field(ge=1, le=10)] = 1.5
    "That wait is drawn between it and this many times of it (ACK_RANDOM_FACTOR)."

    max_retransmit: Annotated[int, Field(ge=0, le=20), Unit("times")] = 4
    "Retransmissions of a confirmable message (MAX_RETRANSMIT)."

    exchange_lifetime_s: Annotated[float, Field(ge=1, le=3600), Seconds] = 247.0
    "How long a request is remembered, so that its repetition has no second effect (EXCHANGE_LIFETIME)."

    empty_ack_delay_s: Annotated[float, Field(ge=0.01, le=10), Seconds] = 0.1
    "A request not answered within this time is acknowledged first and answered later."

    max_remembered: Annotated[int, Field(ge=100, le=10_000_000), Unit("requests")] = 100_000
    "Requests of peers without DTLS that are remembered; beyond it the oldest is forgotten early."

    max_open_exchanges: Annotated[int, Field(ge=1, le=1_000_000), Unit("requests")] = 20_000
    "Requests being worked on; beyond it they are answered 5.03."

    busy_max_age_s: Annotated[int, Field(ge=0, le=86_400), Seconds] = 5
    "Max-Age of that 5.03: when to try again."

    max_transmissions: Annotated[int, Field(ge=1, le=10_000_000), Unit("messages")] = 50_000
    "Confirmable messages of the gateway under way or waiting; beyond it its requests fail at once."

    max_backlog: Annotated[int, Field(ge=1, le=100_000), Unit("requests")] = 64
    "Requests waiting for one peer to acknowledge an earlier one; beyond it they fail at once."

    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30), Bytes] = 65_536
    "Largest body of a request in blocks; a larger one is answered 4.13."

    max_assemblies: Annotated[int, Field(ge=1, le=1_000_000), Unit("bodies")] = 1000
    "Bodies being put together from blocks; beyond it the one idle longest is dropped."

    max_assemblies_per_peer: Annotated[int, Field(ge=1, le=1000), Unit("bodies")] = 4
    "The same for one peer."

    max_assembly_bytes: Annotated[int, Field(ge=1024, le=1 << 36), Bytes] = 8 << 20
    "All bodies being put together; beyond it the one idle longest is dropped."

    assembly_lifetime_s: Annotated[float, Field(ge=1, le=3600), Seconds] = 93.0
    "How long the next block may take (MAX_TRANSMIT_WAIT)."


class DownlinkSettings(Section):
    """What the gateway asks of devices."""

    ack_timeout_s: Annotated[float, Field(ge=0.1, le=600), Seconds] = 2.0
    "Wait before the first retransmission of a request (ACK_TIMEOUT), times up to `coap.ack_random_factor`."

    max_retransmit: Annotated[int, Field(ge=0, le=20), Unit("times")] = 4
    "Retransmissions of a request, each after twice the wait (MAX_RETRANSMIT)."

    response_timeout_s: Annotated[float, Field(ge=0.1, le=86_400), Seconds] = 60.0
    "How long an answer may take after an empty acknowledgement."

    max_requests: Annotated[int, Field(ge=1, le=10_000_000), Unit("requests")] = 50_000
    "Requests without an answer yet, of all devices; beyond it they fail at once."

    max_requests_per_peer: Annotated[int, Field(ge=1, le=1000), Unit("requests")] = 64
    "The same for one device."

    max_answer_bytes: Annotated[int, Field(ge=1024, le=1 << 30), Bytes] = 2 << 20
    "Largest body of an answer in blocks; a longer one is given up."

    max_answers_bytes: Annotated[int, Field(ge=1024, le=1 << 36), Bytes] = 64 << 20
    "All such bodies being put together; beyond it the one that grows is given up."


class QueueSettings(Section):
    """Devices in queue mode, which sleep."""

    awake_s: Annotated[float, Field(ge=1, le=86_400), Seconds] = 93.0
    "How long such a device listens after its last message (MAX_TRANSMIT_WAIT); then what it is asked waits."


class CommandSettings(Section):
    """What is stored for devices until it can be sent."""

    ttl_s: Annotated[int, Field(ge=1, le=MAX_TTL_S), Seconds] = 86_400
    "How long a command may wait for its device to be there and awake. Also `--ttl`, for one command."


class EventSettings(Section):
    """What happened, for those who read it later."""

    keep_s: Annotated[int, Field(ge=1, le=3_153_600_000), Seconds] = 604_800
    "How long an event is kept."

    keep_values_s: Annotated[int, Field(ge=1, le=3_153_600_000), Seconds] = 3_600
    "How long an event that carries values is kept, at least; it goes within the hour."


class ValueSettings(Section):
    """What devices reported."""

    history: Annotated[int, Field(ge=1, le=100_000), Unit("values")] = 100
    "Values kept of each path of a device."


class LogSettings(Section):
    """What is told on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    "Least severity that is told. Also `--log-level`."

    format: Literal["text", "json"] = "text"
    "`text` for people, `json` for machines: an object a line. Also `--log-format`."


class GatewayConfig(BaseSettings):
    """All settings. `GatewayConfig()` is the defaults alone; `gateway.config.load` reads the sources."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter=NESTING,
        env_ignore_empty=True,
    )

    server: ServerSettings = ServerSettings()
    db: DatabaseSettings = DatabaseSettings()
    registry: RegistrySettings = RegistrySettings()
    registration: RegistrationSettings = RegistrationSettings()
    dtls: DtlsSettings = DtlsSettings()
    coap: CoapSettings = CoapSettings()
    downlink: DownlinkSettings = DownlinkSettings()
    queue: QueueSettings = QueueSettings()
    commands: CommandSettings = CommandSettings()
    events: EventSettings = EventSettings()
    values: ValueSettings = ValueSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone: `load` reads the sources itself, to say whose a fault is."""
        return (init_settings,)


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in GatewayConfig.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}


def setting_names() -> list[str]:
    """Every ``section.key``, in the order of the tree."""
    return [f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields]


@dataclass(frozen=True, slots=True)
class Described:
    """A setting as ``docs/configuration.md`` tells it; all text."""

    name: str
    default: str
    unit: str
    bounds: str
    meaning: str


def describe() -> Iterator[Described]:
    """Every setting, in the order of the tree."""
    for section, model in SECTIONS.items():
        for key, field in model.model_fields.items():
            yield Described(
                f"{section}.{key}",
                _show(field.default),
                find_unit(field),
                _show_bounds(field),
                " ".join((field.description or "").split()),
            )


def find_unit(field: FieldInfo) -> str:
    return next((item.name for item in field.metadata if isinstance(item, Unit)), "")


def _show(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _show_bounds(field: FieldInfo) -> str:
    if getattr(field.annotation, "__origin__", None) is Literal:
        return ", ".join(field.annotation.__args__)  # type: ignore[union-attr]
    low = next((item.ge for item in field.metadata if hasattr(item, "ge")), None)
    high = next((item.le for item in field.metadata if hasattr(item, "le")), None)
    return "" if low is None or high is None else f"{low} … {high}"
