"""Turns the settings tree into the value that each package asks for, once, at the start."""

from __future__ import annotations

from gateway.dtls.settings import EndpointConfig
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


def endpoint_config(config: GatewayConfig) -> EndpointConfig:
    """DTLS towards the devices: the section's keys are the endpoint's own names."""
    return EndpointConfig(**config.dtls.model_dump())


def messaging_settings(config: GatewayConfig) -> MessagingSettings:
    """The CoAP message layer: the keys of both sections are the layer's own names."""
    downlink = DownlinkSettings(**config.downlink.model_dump())
    return MessagingSettings(**config.coap.model_dump(), downlink=downlink)
