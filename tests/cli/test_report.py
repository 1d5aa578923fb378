"""The report: right counts from the files alone, nothing of a person, readable by everybody."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from imagin_gateway.cli.report_page import page
from imagin_gateway.cli.summary import summed_up, told
from imagin_gateway.errors import Code
from imagin_gateway.events import EventName
from imagin_gateway.events.reading import Record
from imagin_gateway.events.telling import words
from tests.cli.test_events import Office, office  # noqa: F401  # a fixture
from tests.parts import in_wheel, program, require

START = datetime(2026, 12, 13, 8, tzinfo=UTC)


def record(event: str, minute: int = 0, **more: object) -> tuple[bytes, Record]:
    at = (START + timedelta(minutes=minute)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return b"", Record(v=1, time=at, event=event, **more)  # type: ignore[arg-type]  # as the line tells it


def some() -> list[tuple[bytes, Record]]:
    found = [record("login", number, door="arena-creteil", person="a" * 20) for number in range(60, 80)]
    found += [record("login", 130, door="direct", address="192.0.2.77")] * 3
    wrong = {"reason": "wrong"}
    found += [record("login_refused", 5, door="direct", code=Code.CREDENTIALS.value, detail=wrong)] * 7
    found += [record("login_refused", 5, door="<b>", code="saml.time")] * 2
    found += [record("mail_sent", 9, detail={"mail": "reset"})] * 5
    found += [record("mail_sent", 9, detail={"mail": "account_unlocked"})]
    return found


def test_counts_are_those_of_the_events_and_small_ones_are_not_told() -> None:
    summary = summed_up(some(), START, START + timedelta(hours=3))
    tree: Any = html.document_fromstring(page(summary, words()))
    rows = [[cell.text_content() for cell in row.xpath("th|td")] for row in tree.xpath("//tbody/tr")]
    assert ["13/12, 10 h", "20"] in rows
    assert ["13/12, 11 h", "moins de 5"] in rows
    assert ["le mot de passe n’est pas le bon", "Accès direct", "7"] in rows
    assert ["réponse trop vieille, ou horloges décalées", "<b>", "moins de 5"] in rows
    key = dict(zip(tree.xpath("//dt/text()"), tree.xpath("//dd/text()"), strict=True))
    assert key["Connexions réussies"] == "23"
    assert key["Courriels partis"] == "6"
    titles = tree.xpath("//h3/text()")
    assert "Partis\u00a0: lien pour choisir un mot de passe" in titles
    assert "Partis\u00a0: compte débloqué" in titles
    assert [told(number) for number in (0, 1, 4, 5, 12345)] == ["0", "moins de 5", "moins de 5", "5", "12\u202f345"]


def test_a_page_that_cannot_be_written_is_told_by_its_name_and_leaves_nothing_beside(office: Office) -> None:  # noqa: F811  # the fixture
    (office.folder / "there").mkdir()
    for to in ("away/page.html", "there"):
        done = office.run("report", "--to", str(office.folder / to), "--since", "2026-12-13", "--until", "2026-12-15")
        assert done.exit_code == 1
        assert done.stderr.startswith(f"{office.folder / to} : ")
    assert not list(office.folder.glob(".there*"))


def test_the_page_holds_no_script_nothing_from_elsewhere_and_nothing_of_a_person() -> None:
    text = page(summed_up(some(), START, START + timedelta(days=20)), words())
    assert not re.search(r"<script|<b>|https?:|src=|href=|url\(", text)
    for private in ("a" * 20, "192.0.2.77"):
        assert private not in text
    tree: Any = html.document_fromstring(text)
    assert len(tree.xpath("//svg[@role='img'][@aria-label]")) == len(tree.xpath("//*[@class='pair']//table"))
    assert ">13/12/2026<" in text, "a long period is told by day"


def test_an_empty_period_and_a_cut_file_are_said(office: Office) -> None:  # noqa: F811
    day = office.folder / "e-2026-12-13.jsonl"
    day.write_bytes(day.read_bytes()[:-30])
    to = office.folder / "r.html"
    done = office.run("report", "--since", "2026-12-13", "--until", "2026-12-14", "--to", str(to))
    assert (done.exit_code, "Événements lus : 7" in done.stdout) == (0, True), done.output
    assert "illisibles (e-2026-12-13.jsonl, ligne 8)" in to.read_text(encoding="utf-8")
    assert "mdurand7" not in to.read_text(encoding="utf-8")
    assert office.run("report", "--since", "2026-12-15", "--until", "2026-12-14").exit_code == 2
    assert office.run("report", "--since", "2027-01-01", "--until", "2027-01-02", "--to", str(to)).exit_code == 1
    assert list(office.folder.glob(".r.html*")) == []


def test_many_doors_in_a_damaged_file_do_not_grow_the_report() -> None:
    found = [record("login", 1, door=f"d{number}") for number in range(5000)]
    assert len(summed_up(found, START, START + timedelta(hours=1)).logins) == 50
    assert {EventName.LOGIN.value} == {each[1].event for each in found}


@pytest.mark.browser
def test_the_page_is_accessible_and_fits_a_narrow_screen(tmp_path: Path) -> None:
    require("chromium")
    require("axe")
    from playwright.sync_api import sync_playwright

    axe = in_wheel("axe_playwright_python", "axe.min.js")
    assert axe is not None
    file = tmp_path / "r.html"
    file.write_text(page(summed_up(some(), START, START + timedelta(hours=3)), words()), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program("chromium")), args=["--no-sandbox"])
        for width, scheme in ((1200, "light"), (320, "dark")):
            context = browser.new_context(
                viewport={"width": width, "height": 800},
                bypass_csp=True,
                color_scheme=scheme,  # type: ignore[arg-type]  # one of those it knows
            )
            view = context.new_page()
            view.goto(file.as_uri())
            assert view.evaluate("document.documentElement.scrollWidth") <= width
            view.add_script_tag(content=axe.read_text(encoding="utf-8"))
            found = view.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [each["id"] for each in found["violations"]] == []
            context.close()
        browser.close()
