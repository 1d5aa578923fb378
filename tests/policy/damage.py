"""Damage a table, and see why it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from imagin_gateway.policy import Flaw, TableRefused
from imagin_gateway.policy.loading import build

Raw = dict[str, Any]


def rule(raw: Raw, name: str) -> Raw:
    found: Raw = next(item for item in raw["rules"] if item["id"] == name)
    return found


def refused(raw: Raw) -> TableRefused:
    with pytest.raises(TableRefused) as caught:
        build(raw, "essai.toml")
    return caught.value


def only(raw: Raw, flaw: Flaw) -> str:
    """Return the message of the findings, all of one kind."""
    findings = refused(raw).findings
    assert {finding.flaw for finding in findings} == {flaw}, [str(finding) for finding in findings]
    return "\n".join(str(finding) for finding in findings).replace("\u00a0", " ")
