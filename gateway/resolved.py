"""Turns the settings tree into the value that each package asks for, once, at the start."""

from __future__ import annotations

from pathlib import Path

from gateway.credentials.shares import new_private_key
from gateway.dtls.credential import Credential
from gateway.dtls.settings import CbcPolicy, EndpointConfig
from gateway.dtls.suites import by_name
from gateway.lwm2m.registration import NosecBinding, Policy
from gateway.messaging.settings import DownlinkSettings, MessagingSettings
from gateway.settings import GatewayConfig
from registry.sealing import KeySource
from registry.settings import RegistrySettings


def key_source(config: GatewayConfig) -> KeySource:
    """Where the key for sealed secrets comes from."""
    key = config.db.key
    return KeySource(text=key.get_secret_value() if key else None, file=config.db.key_file)


def registry_settings(config: GatewayConfig) -> RegistrySettings:
    """How changes reach the disk, and how long things are kept."""
    return RegistrySettings(
        lifetime_grace_s=config.registration.lifetime_grace_s,
        events_keep_s=config.events.keep_s,
        events_keep_values_s=config.events.keep_values_s,
        value_history=config.values.history,
        command_ttl_s=config.commands.ttl_s,
        group_window_s=config.registry.group_window_s,
        group_rows=config.registry.group_rows,
        max_pending=config.registry.max_pending,
    )


def policy(config: GatewayConfig) -> Policy:
    """What a Register must be to be accepted."""
    settings = config.registration
    return Policy(
        min_lifetime_s=settings.min_lifetime_s,
        max_lifetime_s=settings.max_lifetime_s,
        allow_unlimited=settings.allow_unlimited,
        nosec_binding=NosecBinding(settings.nosec_binding),
    )


def endpoint_config(
    config: GatewayConfig, credential: Credential | None, *, is_persisting: bool = False
) -> EndpointConfig:
    """DTLS towards the devices: the section's keys are the endpoint's own names, but for files and suites.

    *is_persisting*: there is somebody who stores sessions.
    """
    values = config.dtls.model_dump(exclude={"certificate_file", "private_key_file", "trust_dir"})
    values["suites"] = tuple(suite.id for suite in map(by_name, config.dtls.suites) if suite is not None)
    values["persist_sessions"] = is_persisting
    values["cbc"] = CbcPolicy(config.dtls.cbc)
    return EndpointConfig(**values, make_private=new_private_key, credential=credential)


def server_files(config: GatewayConfig) -> tuple[Path | None, Path | None]:
    """Where the gateway's certificate chain and its key are, if it was given any."""
    return config.dtls.certificate_file, config.dtls.private_key_file


def messaging_settings(config: GatewayConfig) -> MessagingSettings:
    """The CoAP message layer: the keys of both sections are the layer's own names."""
    downlink = DownlinkSettings(**config.downlink.model_dump())
    return MessagingSettings(**config.coap.model_dump(), downlink=downlink)
