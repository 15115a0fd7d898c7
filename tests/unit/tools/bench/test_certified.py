"""The fleet that the benchmark makes is one that a gateway takes."""

from __future__ import annotations

import time
from pathlib import Path

from gateway.credentials.trustfolder import read_trust_folder
from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.trust import TrustedCertificate, verify_chain
from tools.bench.certified import make_fleet


def test_each_certificate_leads_to_the_anchor_and_names_its_device(tmp_path: Path) -> None:
    fleet = make_fleet("d", 2)
    anchors = read_trust_folder(fleet.write_trust_folder(tmp_path)).anchors
    assert [device.node_id for device in fleet.devices] == ["d-000000", "d-000001"]
    for device in fleet.devices:
        assert device.config.credential is not None
        leaf = decode_leaf(device.config.credential.chain[0])
        assert isinstance(leaf, LeafCertificate)
        assert [name.value for name in leaf.names] == [device.node_id]
        assert isinstance(verify_chain(leaf, (), anchors, time.time()), TrustedCertificate)
