"""Every page in every state, by the validator of the W3C (row A11-09): as French and English people get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagin_gateway.pages.render import Pages
from tests import vnu
from tests.pages.conftest import render
from tests.pages.states import STATES
from tests.parts import require


@pytest.mark.row("A11-09")
def test_the_validator_finds_nothing_in_any_state(pages: Pages, tmp_path: Path) -> None:
    require("java")
    require("vnu")
    for name in STATES:
        for language in ("fr", "en"):
            (tmp_path / f"{language}-{name}.html").write_bytes(render(pages, name, language).body)
    # What is wrong in this one is found, so what is not found elsewhere is not there.
    body = render(pages, "login").body.replace(b"<main ", b'<ul><div align="left">x</div></ul><main ', 1)
    (tmp_path / "broken.html").write_bytes(body)
    said = vnu.validate(sorted(tmp_path.glob("*.html")))
    assert [each for each in said if each.file != "broken.html"] == []
    assert len(said) >= 2
