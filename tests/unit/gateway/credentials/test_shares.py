"""`gateway.credentials.shares`: keys that the engine makes shares of."""

from __future__ import annotations

import pytest

from gateway.credentials.shares import new_private_key
from gateway.dtls.groups import EXCHANGE_GROUPS, KeyShare, NamedGroup


@pytest.mark.parametrize("group", EXCHANGE_GROUPS)
def test_both_sides_agree_on_what_no_other_pair_has(group: NamedGroup) -> None:
    ours, theirs, others = (KeyShare(new_private_key(group)) for _ in range(3))
    assert ours.group is group
    assert ours.agree(theirs.public) == theirs.agree(ours.public) != ours.agree(others.public)
