"""The gallery shows every page in every state: no picture lacks, none is of a page that is gone."""

from __future__ import annotations

from imagin_gateway.pages.render import Pages
from scripts.gallery import LIST, PICTURES, listed, pictures, shown
from tests.pages.conftest import TEMPLATES
from tests.pages.states import ENGLISH, STATES

AGAIN = "run `make gallery`, and look at what changed"


def test_every_page_and_every_state_is_in_the_gallery() -> None:
    text = LIST.read_text(encoding="utf-8")
    assert [name for name in (*STATES, *ENGLISH) if f"`{name}`" not in text] == [], AGAIN
    frames = {"base", "parts"}
    pages = {template.stem for template in TEMPLATES.glob("*.html")} - frames
    assert pages == {state.page for state in STATES.values()}, "a page without a state"
    assert [page for page in pages if f"## `{page}`" not in text] == [], AGAIN
    assert text == listed(), AGAIN


def test_every_picture_is_there_and_no_other_and_they_weigh_little() -> None:
    wanted = {f"{name}-{view.name}.webp" for name, view in pictures()}
    assert {each.name for each in PICTURES.iterdir()} == wanted, AGAIN
    assert sum(each.stat().st_size for each in PICTURES.iterdir()) < 3_000_000
    for each in PICTURES.iterdir():
        assert each.read_bytes()[8:12] == b"WEBP"


def test_states_that_differ_by_their_words_alone_share_a_picture(pages: Pages) -> None:
    assert sorted(name for alike in shown().values() for name in alike) == sorted(STATES)
    assert len(shown()) < len(STATES)
