"""The sheets an office prints: one page a person, everything escaped, nothing fetched."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import html5lib
import pytest
from lxml import html

from imagin_gateway.keys import Secret
from imagin_gateway.local.letters import Letter, LetterKind
from imagin_gateway.local.lifecycle import Act
from imagin_gateway.local.sheets import LetterSheets, SheetWords
from tests.local.conftest import LIST, Office
from tests.parts import program, require

WORDS = SheetWords(door="imagin.exemple.test/connexion/direct", contact="imagin@exemple.test", minimum=15)

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=y>', "{{7*7}}", "{identifier}", "&amp;", "]]>", "%s"]


def sheets(*letters: Letter) -> Any:
    written = io.StringIO()
    writer = LetterSheets(written, WORDS)
    for letter in letters:
        writer.write(letter)
    writer.end()
    html5lib.HTMLParser(strict=True).parse(written.getvalue())
    return html.document_fromstring(written.getvalue())


def letter(**changes: Any) -> Letter:
    from datetime import UTC, datetime

    values: dict[str, Any] = {
        "identifier": "mdurand7",
        "family_name": "DURAND",
        "given_name": "Marie",
        "office": "DEC 4 - concours",
        "kind": LetterKind.PROVISIONAL,
        "provisional": Secret("K7RTM 4PXWQ 9HFDC"),
        "ends_at": datetime(2026, 12, 15, 9, 0, tzinfo=UTC),
    }
    return Letter(**{**values, **changes})


def text(element: Any) -> str:
    return " ".join(element.text_content().split())


def test_a_sheet_says_the_identifier_the_password_in_groups_the_steps_and_the_door() -> None:
    (sheet,) = sheets(letter()).xpath("//section")
    said = text(sheet)
    names = [text(each) for each in sheet.xpath(".//dt")]
    assert names == ["Identifiant", "Mot de passe provisoire"]
    identifier, password = sheet.xpath(".//dd")
    assert (text(identifier), text(password)) == ("mdurand7", "K7RTM 4PXWQ 9HFDC")
    assert identifier.get("class") == password.get("class") == "code"
    assert "jusqu’au 14 décembre 2026" in said
    steps = [text(step) for step in sheet.xpath(".//ol/li")]
    assert steps[0] == "Ouvrez imagin.exemple.test/connexion/direct"
    assert len(steps) == 4
    assert "15 caractères au moins" in steps[2]
    assert "peut ressembler à un identifiant académique. C’en est un autre." in said
    assert "imagin@exemple.test" in said
    assert "Personne du SIEC ne vous demandera votre mot de passe." in said
    # The name is at the foot, out of the window of an envelope.
    assert text(sheet.getchildren()[-1]) == "Marie DURAND – DEC 4 - concours"


def test_who_has_a_password_reads_so_and_how_to_sign_in() -> None:
    chosen, sent = sheets(
        letter(kind=LetterKind.CHOSEN, provisional=None, ends_at=None), letter(kind=LetterKind.SENT, provisional=None)
    ).xpath("//section")
    assert "Vous avez déjà choisi votre mot de passe." in text(chosen)
    assert "La première fois" not in text(chosen)
    assert "lettre précédente, jusqu’au 14 décembre 2026" in text(sent)
    for sheet in (chosen, sent):
        assert len(sheet.xpath(".//dd[@class='code']")) == 1


@pytest.mark.parametrize("value", HOSTILE)
def test_every_value_is_escaped(value: str) -> None:
    made = letter(identifier=value, family_name=value, given_name=value, office=value)
    tree = sheets(made)
    assert not tree.xpath("//script | //img")
    (sheet,) = tree.xpath("//section")
    assert sheet.xpath(".//dd")[0].text == value
    assert text(sheet).count(" ".join(value.split())) >= 4


def test_nothing_is_fetched_and_nothing_runs() -> None:
    tree = sheets(letter())
    assert not tree.xpath("//@src | //@href | //script | //link | //iframe | //*[starts-with(name(@*), 'on')]")
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none'")
    style = tree.xpath("string(//style)")
    assert "url(" not in style
    assert "@import" not in style
    assert "break-after: page" in style
    assert "@page" in style


def test_french_typography(office: Office, tmp_path: Path) -> None:
    said: str = sheets(letter(), letter(kind=LetterKind.CHOSEN, provisional=None)).text_content()
    body = said.partition("Imagin SIEC\u00a0:")[2]
    assert "'" not in body
    for found in re.finditer(r"(.)[?!:»]|«(.)", body):
        assert (found[1] or found[2]) == "\u00a0", found[0]


def test_the_file_is_written_for_its_owner_alone_with_a_sheet_for_each_who_gets_a_letter(
    office: Office, tmp_path: Path
) -> None:
    office.personalise("mdurand7")
    office.act("sansmail", Act.DISABLE)
    listing, target = tmp_path / "list.csv", tmp_path / "sheets.html"
    listing.write_text(LIST + "nouveau;NOUVEAU;Léa;;;;DEC 1\n", encoding="utf-8")
    office.door.lists.import_list(listing, sheets_to=target, letters_to=tmp_path / "letters.csv")
    assert target.stat().st_mode & 0o777 == 0o600
    found: Any = html.document_fromstring(target.read_text(encoding="utf-8")).xpath("//section")
    assert [text(sheet.xpath(".//dd")[0]) for sheet in found] == ["mdurand7", "pmartin2", "nouveau"]
    assert "localhost:8400/connexion/direct" in text(found[0])


@pytest.mark.browser
def test_a_browser_prints_one_page_a_person(tmp_path: Path, open_office: Callable[..., Office]) -> None:
    require("chromium")
    from playwright.sync_api import sync_playwright

    long = letter(
        identifier="x" * 64,
        family_name="DE LA " * 3 + "W" * 80,
        given_name="Marie-Antoinette " * 5,
        office="Division " * 15,
    )
    written = io.StringIO()
    writer = LetterSheets(written, WORDS)
    for each in (letter(), long, letter(kind=LetterKind.CHOSEN, provisional=None, ends_at=None)):
        writer.write(each)
    writer.end()
    target = tmp_path / "sheets.html"
    target.write_text(written.getvalue(), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(program("chromium")),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.goto(target.as_uri())
        # Between the margins of A4: an identifier that went on beside the paper would be half an identifier.
        page.set_viewport_size({"width": 643, "height": 900})
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= 643
        raw = page.pdf(prefer_css_page_size=True)
        browser.close()
    assert len(re.findall(rb"/Type\s*/Page[^s]", raw)) == 3
