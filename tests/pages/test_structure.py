"""Every page in every state, as assistive tools read it: headings, labels, titles, errors (checklist A11)."""

from __future__ import annotations

import itertools
from collections import defaultdict

import html5lib
import pytest

from imagin_gateway.errors import Code
from imagin_gateway.pages.render import Pages
from imagin_gateway.pages.texts import NBSP
from tests.pages.conftest import read, render, settings, words
from tests.pages.states import PASSWORD_ERRORS, STATES

every_state = pytest.mark.parametrize("name", STATES)
every_error = pytest.mark.parametrize("name", [name for name, state in STATES.items() if state.error])

TOKENS = {
    "cherche": "off",
    "identifiant": "username",
    "motdepasse": "current-password",
    "compte": "username",
    "actuel": "current-password",
    "nouveau": "new-password",
    "encore": "new-password",
    "courriel": "email",
    "code": "one-time-code",
    "code-actuel": "one-time-code",
    "secours": "off",
    "nom": "off",
}


@pytest.mark.row("A11-09")
@every_state
def test_a_page_is_valid_html_in_french_with_one_first_heading(pages: Pages, name: str) -> None:
    text = render(pages, name).body.decode()
    html5lib.HTMLParser(strict=True).parse(text)
    tree = read(render(pages, name))
    assert tree.get("lang") == "fr"
    (heading,) = tree.xpath("//h1")
    headings = tree.xpath("//main//*[self::h1 or self::h2 or self::h3]")
    first = next(each for each in headings if not each.xpath("ancestor::*[@id='erreurs']"))
    assert first is heading
    levels = [int(each.tag[1]) for each in headings if not each.xpath("ancestor::*[@id='erreurs']")]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels


@pytest.mark.row("A11-09")
def test_no_two_steps_share_a_title(pages: Pages) -> None:
    by_title = defaultdict(set)
    for name, state in STATES.items():
        values = state.values
        step = (state.page, state.error, *(str(values.get(key)) for key in ("id", "mode", "number", "title", "door")))
        by_title[words(read(render(pages, name)).find(".//title"))].add(
            step[:-1] if state.page != "door" else (state.page, values["door"].title)
        )
    assert [titles for titles in by_title.values() if len(titles) > 1] == []
    assert all(title.endswith(" – Imagin SIEC") for title in by_title)


@every_state
def test_ids_are_unique_and_every_reference_leads_to_one(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    for attribute in ("aria-describedby", "aria-labelledby", "for", "data-reveals"):
        for value in tree.xpath(f"//@{attribute}"):
            assert value.strip(), attribute
            assert set(value.split()) <= set(ids)
    for anchor in tree.xpath("//a[starts-with(@href, '#')]/@href"):
        assert anchor[1:] in ids


@pytest.mark.row("A11-01")
@every_state
def test_every_field_has_a_visible_label_right_before_it(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    for field in tree.xpath("//input[not(@type='hidden')]"):
        (label,) = tree.xpath("//label[@for=$id]", id=field.get("id"))
        assert words(label)
        assert not label.xpath("ancestor-or-self::*[@hidden]")
        assert field.get("placeholder") is None
        if field.get("type") not in ("radio", "checkbox"):
            assert label.getparent() is field.getparent()
    for group in tree.xpath("//fieldset"):
        assert words(group.find("legend"))


@pytest.mark.row("A11-02")
def test_browsers_and_password_managers_are_told_what_each_field_is_for(pages: Pages) -> None:
    found = defaultdict(set)
    for name in STATES:
        for field in read(render(pages, name)).xpath("//input[@type='text' or @type='password']"):
            found[field.get("id")].add(field.get("autocomplete"))
            assert field.get("maxlength") is None
            assert field.get("onpaste") is None
            assert (field.get("autocapitalize"), field.get("spellcheck")) == ("none", "false") or field.get(
                "readonly"
            ) is not None
    assert found == {field: {token} for field, token in TOKENS.items()}


@pytest.mark.row("A11-03")
@every_state
def test_a_required_field_says_so_in_its_label_and_the_form_leaves_the_messages_to_us(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    for field in tree.xpath("//form//input[@type='text' or @type='password'][not(@readonly)]"):
        label = words(tree.xpath("//label[@for=$id]", id=field.get("id"))[0])
        assert ("(obligatoire)" if field.get("required") is not None else "(facultatif)") in label
    for form in tree.xpath("//form[.//input[@required]]"):
        assert form.get("novalidate") is not None
        assert "#" not in form.get("action")


@pytest.mark.row("A11-03")
@every_state
def test_the_form_that_is_expected_is_told_before_the_field(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    order = list(tree.iter())
    told = {"identifiant", "courriel", "code", "code-actuel", "nouveau"}
    for field in tree.xpath("//main//input[not(@readonly)]"):
        if field.get("id") in told:
            hint = tree.get_element_by_id(f"{field.get('id')}-aide")
            assert hint.get("id") in field.get("aria-describedby").split()
            assert order.index(hint) < order.index(field)
            assert words(hint)


@pytest.mark.row("A11-07")
def test_no_step_is_a_puzzle_or_asks_to_remember_what_is_not_at_hand(pages: Pages) -> None:
    asked = set()
    for name, state in STATES.items():
        tree = read(render(pages, name))
        pictures = tree.xpath("//img | //canvas | //audio | //video | //iframe | //svg | //object")
        # The picture for a telephone only says again what stands beside it in letters.
        assert not pictures or state.page == "totp_add", name
        assert not tree.xpath("//input[@type='range' or @type='number' or @type='image']"), name
        asked |= set(tree.xpath("//main//input[not(@type='hidden')][not(@readonly)]/@autocomplete"))
    # What is typed can be pasted or filled in by a manager: nothing else is ever asked.
    # "off" is the name that somebody makes up for a key of theirs: nothing to remember.
    assert asked - {"off"} == {"username", "current-password", "new-password", "email", "one-time-code"}


@pytest.mark.row("A11-15")
def test_questions_are_groups_with_a_legend_and_doors_are_a_list_of_links(pages: Pages) -> None:
    for name, state in STATES.items():
        tree = read(render(pages, name))
        radios = tree.xpath("//input[@type='radio']")
        assert bool(radios) is (state.page == "question")
        for radio in radios:
            (group,) = radio.xpath("ancestor::fieldset")
            assert words(group.find("legend")) == words(tree.find(".//h1"))
        # A link is no answer: a fieldset around doors would promise a choice to send.
        for door in tree.xpath("//*[contains(concat(' ', @class, ' '), ' ig-door ')]"):
            assert (door.tag, door.getparent().tag) == ("li", "ul")
            assert len(door.xpath(".//a")) == 1
            assert not door.xpath("ancestor::fieldset")


@pytest.mark.row("A11-15")
@every_state
def test_what_was_done_is_announced_as_a_status(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    for message in tree.xpath("//*[contains(@class, 'ig-message--ok') or contains(@class, 'ig-message--warn')]"):
        assert message.get("role") == "status"


@pytest.mark.row("A11-15")
def test_the_accessibility_mention_and_its_page_are_in_the_footer_as_configured() -> None:
    told = Pages(
        settings(accessibility="partiellement conforme", accessibility_url="https://exemple.test/accessibilite")
    )
    for name in STATES:
        (link,) = read(render(told, name)).xpath("//footer//a[@href='https://exemple.test/accessibilite']")
        assert words(link) == f"Accessibilité{NBSP}: partiellement conforme"


@every_state
def test_a_form_that_is_posted_carries_its_token_and_the_others_are_plain_addresses(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    # What goes to a portal is signed by us, and bears no token of ours.
    ours = tree.xpath("//form[@method='post'][starts-with(@action, '/')]")
    for form in ours:
        assert form.xpath(".//input[@name='formulaire']/@value") == [STATES[name].values["csrf"]]
    assert bool(ours) is STATES[name].signed


@pytest.mark.parametrize("lang", ["fr", "en"])
@every_state
def test_what_is_read_on_a_control_is_in_its_name_for_whoever_speaks_to_it(pages: Pages, name: str, lang: str) -> None:
    for control in read(render(pages, name, lang)).xpath("//*[self::a or self::button][@aria-label]"):
        assert words(control).casefold() in control.get("aria-label").casefold(), "WCAG 2.2, 2.5.3"


@pytest.mark.row("A11-04")
@every_error
def test_an_error_is_in_the_title_in_a_box_that_takes_the_focus_and_next_to_its_field(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    assert words(tree.find(".//title")).startswith(f"Erreur{NBSP}: ")
    (box,) = tree.xpath("//*[@autofocus]")
    assert (box.get("role"), box.get("tabindex")) == ("group", "-1")
    assert words(tree.get_element_by_id(box.get("aria-labelledby")))
    order = [each for each in tree.iter() if each is box or each.tag == "h1"]
    assert order[0] is box, "the box comes before the heading"
    links = box.xpath(".//*[@role='alert']//a")
    assert box.xpath(".//*[@role='alert']//li")
    # What is about no field, such as a passkey, is said in the box alone.
    assert links or not tree.xpath("//*[@aria-invalid]")
    for link in links:
        field = tree.get_element_by_id(link.get("href")[1:])
        assert field.get("aria-invalid") == "true"
        described = (field.get("aria-describedby") or "").split()
        if field.get("type") == "radio":
            described += tree.xpath("//fieldset/@aria-describedby")[0].split()
        told = [tree.get_element_by_id(each) for each in described]
        assert any(words(each) == f"Erreur{NBSP}: " + words(link) for each in told)
    assert not tree.xpath("//*[@aria-invalid and not(@aria-describedby) and not(@type='radio')]")


@every_state
def test_a_page_without_error_marks_none(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    if not STATES[name].error:
        assert not tree.xpath("//*[@aria-invalid] | //*[@role='alert'] | //*[@autofocus]")
        assert not words(tree.find(".//title")).startswith("Erreur")


def test_a_failed_login_keeps_the_identifier_empties_the_password_and_marks_both(pages: Pages) -> None:
    tree = read(render(pages, "login-failed"))
    assert tree.get_element_by_id("identifiant").get("value") == "mdurand7"
    assert tree.get_element_by_id("motdepasse").get("value") is None
    assert {each.get("id") for each in tree.xpath("//*[@aria-invalid]")} == {"identifiant", "motdepasse"}
    page = words(tree.find(".//main"))
    assert "Il peut ressembler à un identifiant académique, mais c’en est un autre." in page
    assert "Vous en avez déjà choisi un." in page
    assert tree.xpath("//main//li/a[@href='/connexion/mot-de-passe/oubli']")


@pytest.mark.row("A11-05")
def test_a_refused_password_is_told_its_rule_and_an_example(pages: Pages) -> None:
    codes = {code for code in Code if code.startswith("password.")}
    assert {error.key for error in PASSWORD_ERRORS.values()} == codes
    texts = {}
    for name, error in PASSWORD_ERRORS.items():
        tree = read(render(pages, f"password-{name}"))
        texts[name] = words(tree.get_element_by_id(f"{error.field}-erreur"))
        assert "quatre mots sans rapport entre eux" in words(tree.get_element_by_id("nouveau-aide"))
    assert len(set(texts.values())) == len(texts)
    assert texts["too_short"].endswith(f"Il manque 4 caractères{NBSP}: 15 au moins.")
    assert texts["too_short_by_one"].endswith(f"Il manque 1 caractère{NBSP}: 15 au moins.")
    assert texts["too_long"].endswith("(128).")


@pytest.mark.row("PWD-10")
def test_no_form_asks_for_a_hint_or_a_secret_question(pages: Pages) -> None:
    names = set()
    for name in STATES:
        names |= set(read(render(pages, name)).xpath("//form[@method='post'][starts-with(@action, '/')]//input/@name"))
    passwords = {"motdepasse", "actuel", "nouveau", "encore"}
    desk = {"cherche", "action"}
    factors = {"moyen", "confiance", "retirer", "oublier", "nom", "secours"}
    assert (
        names == {"formulaire", "next", "identifiant", "courriel", "code", "code-actuel"} | passwords | factors | desk
    )


@every_state
def test_every_page_has_the_frame_the_contact_and_the_notices(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    assert tree.xpath("//body/*[1]/@href") == ["#contenu"]
    assert tree.xpath("//header//a/@href") == ["/connexion/", "?lang=en"]
    footer = tree.find(".//footer")
    assert footer is not None
    links = [each.get("href") for each in footer.findall(".//a")]
    assert links == ["mailto:imagin@siec.education.fr", "/accessibilite", "/donnees", "/mentions"]
    assert f"Accessibilité{NBSP}: non conforme" in words(footer)


def test_messages_of_success_are_announced(pages: Pages) -> None:
    for name in ("forgotten-sent", "password-done-reset", "logged-out", "logged-out-portal"):
        (message,) = read(render(pages, name)).xpath("//main//*[@role='status']")
        assert words(message)


def test_a_page_after_which_a_portal_stays_open_says_so_and_sends_nobody_anywhere(pages: Pages) -> None:
    response = render(pages, "logged-out-portal")
    tree = read(response)
    assert "Le portail de Paris reste ouvert." in words(tree.find(".//main"))
    assert "bv.ac-paris.fr" in words(tree.find(".//main"))
    assert not tree.xpath("//meta[@http-equiv]")
    assert "Refresh" not in dict(response.headers)


@every_state
def test_a_link_to_another_site_shows_its_host_and_opens_here(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    for link in tree.xpath("//a[starts-with(@href, 'http')]"):
        host = link.get("href").split("/")[2]
        shown = words(link) + words(link.getparent()) + words(link.getparent().getparent())
        assert host in shown
        assert link.get("target") is None


@every_state
def test_what_remains_to_be_done_comes_after_what_it_is_said_of(pages: Pages, name: str) -> None:
    told = read(render(pages, name)).xpath("//main//text()")
    for place, text in enumerate(told):
        if text.startswith("Sinon,"):
            assert not any(each.startswith("Ce que vous pouvez faire") for each in told[place - 2 : place]), text
