"""The language of a journey: what decides, what keeps it, and what it never touches."""

from __future__ import annotations

import inspect
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from imagin_gateway.flows import choose
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, direct, sign_in
from tests.pages.test_language import FRENCH_WORDS, NAMES

RULES = """
[[admission]]
id = "nobody"
needs = { title = { among = ["DIR"] } }
sentence = { fr = "Pas aujourd’hui.", en = "Not today." }
"""

PLACES = {"arena-creteil": "Créteil", "arena-paris": "Paris"}

ENGLISH = {"Accept-Language": "en-GB,en;q=0.9"}

STATELESS = (
    "/connexion/",
    "/connexion/question",
    "/connexion/question?emetteur=siec&poste=creteil",
    "/connexion/question?question=emetteur",
    "/connexion/question?emetteur=siec&poste=paris&mail=oui",
    "/connexion/question?emetteur=autre",
    "/connexion/question?emetteur=siec&poste=plusieurs",
    "/connexion/question?emetteur=inconnu&poste=inconnu&imprime=inconnu",
    "/connexion/acces/direct",
    "/connexion/acces/arena-creteil",
)


@pytest.fixture(params=["wsgi", "asgi"])
def house(request: pytest.FixtureRequest, make_house: Callable[..., TheHouse]) -> TheHouse:
    """The whole house under each mount: the stores have nothing to do with languages."""
    return make_house(request.param)


def language(reply: Reply) -> str:
    """Return the language a page is in; the markup and the header must agree."""
    told = str(reply.tree.get("lang"))
    assert reply.header("content-language") == told
    assert reply.header("vary") == "Accept, Accept-Language, Cookie"
    return told


def switch(reply: Reply, path: str) -> str:
    """Return where the link to the other language leads from `path`."""
    (href,) = reply.tree.xpath("//header//a[@hreflang]/@href")
    assert href.startswith("?")
    return path.partition("?")[0] + str(href)


def assert_english(reply: Reply) -> None:
    """No French is left on a page, but for names."""
    assert language(reply) == "en"
    for unwanted in reply.tree.xpath("//a[@hreflang] | //script | //style"):
        unwanted.drop_tree()
    shown = " ".join(reply.tree.text_content().split())
    shown = re.sub(r"\S+@\S+|\S+\.(fr|test)\S*", "", NAMES.sub("", shown))
    assert not FRENCH_WORDS.search(shown), FRENCH_WORDS.findall(shown)
    assert "«" not in shown
    assert "'" not in shown


@pytest.mark.parametrize("path", STATELESS)
def test_a_page_without_state_is_in_the_language_of_its_address_and_its_links_keep_it(
    house: TheHouse, path: str
) -> None:
    client = house.client()
    french = client.get(path)
    assert language(french) == "fr"
    there = switch(french, path)
    english = client.get(there)
    assert english.status == french.status
    assert_english(english)
    assert client.cookies == {}
    assert "set-cookie" not in {name.lower() for name, _ in english.headers}
    # The address can be sent to somebody: it says all of it.
    assert language(house.client().get(there, headers={"Accept-Language": "fr"})) == "en"
    ours = [each for each in english.tree.xpath("//a[not(@hreflang)]/@href") if each.startswith("/connexion/")]
    assert ours
    for link in ours:
        assert parse_qs(urlsplit(link).query)["lang"] == ["en"], link
    for form in english.tree.xpath("//form"):
        assert form.xpath(".//input[@name='lang']/@value") == ["en"]
    # And back: the same page, word for word.
    assert words_of(client.get(switch(english, there))) == words_of(french)


def words_of(reply: Reply) -> str:
    return " ".join(str(reply.tree.text_content()).split())


def test_the_browser_is_asked_first_and_links_then_say_nothing(house: TheHouse) -> None:
    client = house.client()
    page = client.get("/connexion/", headers=ENGLISH)
    assert_english(page)
    assert not [each for each in page.tree.xpath("//a[not(@hreflang)]/@href") if "lang=" in each]
    assert language(client.get("/connexion/direct", headers=ENGLISH)) == "en"
    assert "ig-language" not in client.cookies
    for rubbish in ("", "xx", "de", ";;;,q=", "\u00e9".encode().decode("latin-1"), "en;q=0", "e" * 5000):
        assert language(client.get("/connexion/", headers={"Accept-Language": rubbish})) == "fr"


def test_a_choice_wins_over_the_browser_and_is_kept_where_there_are_cookies(house: TheHouse) -> None:
    client = house.client()
    french = client.get("/connexion/direct?next=/missions", headers={"Accept-Language": "fr"})
    page = client.get(switch(french, "/connexion/direct"), headers={"Accept-Language": "fr"})
    assert_english(page)
    assert page.field("next") == "/missions"
    assert client.cookies["ig-language"] == "en"
    assert language(client.get("/connexion/mot-de-passe/oubli", headers={"Accept-Language": "fr"})) == "en"
    assert language(client.get("/connexion/", headers={"Accept-Language": "fr"})) == "en"
    # The address is stronger than what was chosen before.
    assert language(client.get("/connexion/?lang=fr")) == "fr"
    assert client.cookies["ig-language"] == "en"


@pytest.mark.parametrize("asked", ["xx", "", "EN", "en-GB", "https://evil.example", "fr%0d%0aSet-Cookie:x", "../en"])
def test_a_language_that_is_not_offered_is_no_language(house: TheHouse, asked: str) -> None:
    client = house.client()
    for path in ("/connexion/", "/connexion/direct", "/connexion/portail/arena-paris"):
        reply = client.get(f"{path}?lang={asked}")
        assert "ig-language" not in client.cookies
        assert "evil" not in reply.text + reply.location
        if reply.status == 200:
            assert language(reply) == "fr"
    client.cookies["ig-language"] = "../../en"
    assert language(client.get("/connexion/direct")) == "fr"


def test_a_language_said_twice_is_refused_like_any_parameter_and_breaks_nothing(house: TheHouse) -> None:
    reply = house.client().get("/connexion/?lang=en&lang=fr")
    assert (reply.status, language(reply)) == (400, "fr")


@pytest.mark.parametrize(
    "query",
    [
        "next=https://evil.example",
        "next=//evil.example",
        "emetteur=siec&poste=%22%3E%3Cscript%3E",
        "x=evil&porte=evil.",
    ],
)
def test_the_switch_writes_nothing_again_that_is_not_ours(house: TheHouse, query: str) -> None:
    client = house.client()
    for path in ("/connexion/", "/connexion/direct", "/connexion/rien", "/connexion/fin/faite"):
        reply = client.get(f"{path}?{query}&lang=en")
        (href,) = reply.tree.xpath("//header//a[@hreflang]/@href")
        assert "evil" not in href
        assert "script" not in href


def test_a_form_with_an_error_stays_in_its_language_and_the_switch_sends_nothing_again(house: TheHouse) -> None:
    client = house.client()
    page = client.get("/connexion/direct?lang=en&next=/missions")
    for typed in ({"identifiant": "mdurand7", "motdepasse": "no"}, {"identifiant": "", "motdepasse": ""}):
        wrong = client.submit(page, typed)
        assert wrong.status in (403, 422)
        assert_english(wrong)
        there = switch(wrong, "/connexion/direct")
        assert "mdurand7" not in there
        before = len(house.events)
        french = client.get(there)
        assert (language(french), french.field("next"), french.status) == ("fr", "/missions", 200)
        assert len(house.events) == before
        page = client.get("/connexion/direct?lang=en&next=/missions")


def test_a_whole_direct_journey_in_english(house: TheHouse) -> None:
    client = house.client()
    assert_english(client.get("/connexion/direct?lang=en"))
    page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"], "/missions"))
    assert page.title == "Choose your password"
    assert_english(page)
    wrong = client.submit(page, {"nouveau": "short", "encore": "short"})
    assert_english(wrong)
    assert "characters are missing: at least 15." in wrong.text
    # Another language in the middle of it costs no step.
    assert client.get(switch(wrong, "/connexion/mot-de-passe")).title == "Choisissez votre mot de passe"
    page = client.get("/connexion/mot-de-passe?lang=en&next=/missions")
    password = "quatre mots sans rapport entre eux"  # chosen here
    assert client.submit(page, {"nouveau": password, "encore": password}).location == "/missions"
    for path in (
        "/connexion/session",
        "/connexion/session/toutes",
        "/connexion/mot-de-passe",
        "/connexion/adresse",
        "/connexion/confirmer?next=/connexion/session/toutes",
        "/connexion/fin",
    ):
        page = client.get(path)
        assert page.status == 200, path
        assert_english(page)
    page = client.submit(client.get("/connexion/adresse"), {"courriel": "x", "actuel": password})
    assert_english(page)
    page = client.submit(page, {"courriel": "new@exemple.test", "actuel": password})
    page = client.follow(page)
    assert page.title == "Confirm your e-mail address"
    assert_english(page)
    assert_english(client.submit(page, {"code": "000000", "code-actuel": "000000"}))
    done = client.follow(client.submit(client.get("/connexion/fin"), {}))
    assert done.title == "Your Imagin SIEC session has ended"
    assert_english(done)


@pytest.mark.parametrize("door", ["arena-creteil", "arena-paris"])
def test_a_portal_changes_nothing_to_the_language(house: TheHouse, door: str) -> None:
    client = house.client()
    # From a page without cookie, the way out says the language.
    page = client.get(f"/connexion/acces/{door}?lang=en")
    (leave,) = [each for each in page.tree.xpath("//a/@href") if each.startswith(f"/connexion/portail/{door}")]
    assert client.get(leave).status == 303
    assert client.cookies["ig-language"] == "en"
    assert sign_in(house, client, "jmartin", door, "/missions").status == 200
    page = client.get("/connexion/session")
    assert_english(page)
    assert PLACES[door] + " portal" in words_of(page)
    done = client.follow(client.submit(client.get("/connexion/fin"), {}))
    assert_english(done)
    assert "portal is still open." in words_of(done)


def test_what_a_portal_s_answer_is_refused_for_is_said_in_the_language_of_the_person(house: TheHouse) -> None:
    client = house.client()
    client.get("/connexion/direct?lang=en")
    portal = house.portals["arena-creteil"]
    for fail, status in (
        (AnswerRefused(Code.ATTRIBUTE_MISSING, missing=["ctemail", "ctln"]), 403),
        (AnswerRefused(Code.PORTAL_REFUSED), 403),
        (Unavailable(code=Code.PORTAL_UNAVAILABLE), 503),
    ):
        portal.fail = fail
        reply = client.post("/connexion/portail/arena-creteil/acs", {"who": "x"}, headers={"Origin": portal.issuer})
        assert reply.status == status
        assert_english(reply)
        same_refusal_in_french(house, client, reply)
    portal.fail = None
    assert_english(client.get("/connexion/portail/evil"))
    assert_english(client.get("/connexion/arrivee"))
    assert_english(client.get("/connexion/mot-de-passe/nouveau"))


def test_a_cookie_of_the_language_comes_back_with_a_portal_s_post_and_is_as_narrow_as_any(
    make_house: Callable[..., TheHouse],
) -> None:
    house = make_house(base_url="https://localhost")
    client = house.client()
    client.get("/connexion/direct?lang=en", host="localhost")
    (line,) = [line for line in client.jar_log if line.startswith("__Host-ig-language=")]
    assert line.split("; ", 1)[0] == "__Host-ig-language=en"
    assert {"Secure", "HttpOnly", "SameSite=None", "Path=/"} <= set(line.split("; "))
    assert "max-age" not in line.lower()
    assert "expires" not in line.lower()


def test_a_page_of_the_host_that_is_refused_speaks_as_the_person_does(house: TheHouse) -> None:
    client = house.client()
    client.get("/connexion/direct?lang=en")
    sign_in(house, client, "jmartin")
    refused = client.get("/coordonnees")
    assert refused.status == 403
    assert refused.title == "You do not have access to this page"
    assert_english(refused)
    same_refusal_in_french(house, client, refused)


def same_refusal_in_french(house: TheHouse, client: Client, refused: Reply) -> None:
    """Follow the switch of a refusal that cannot be asked again: the same page, and nothing is refused anew."""
    (href,) = refused.tree.xpath("//header//a[@hreflang]/@href")
    before = len(house.events)
    # In another browser as well: it is an address like any other.
    for french in (client.get(href), house.client().get(href)):
        assert (language(french), french.status) == ("fr", refused.status)
        assert code_of(french) == code_of(refused)
        assert french.header("retry-after") == refused.header("retry-after")
        assert "lang=en" in french.tree.xpath("//header//a[@hreflang]/@href")[0]
    (back_href,) = client.get(href).tree.xpath("//header//a[@hreflang]/@href")
    back = client.get("/connexion/refus" + back_href)
    assert words_of(back) == words_of(refused)
    assert len(house.events) == before


def code_of(reply: Reply) -> str:
    return str(reply.tree.xpath("//*[@class='ig-code']")[-1].text)


@pytest.mark.parametrize("change", ["", "x", "page", "signature", "purpose"])
def test_the_page_of_a_refusal_cannot_be_made_up(house: TheHouse, change: str) -> None:
    client = house.client()
    refused = client.post("/connexion/direct", {"identifiant": "x", "motdepasse": "y"})
    (href,) = refused.tree.xpath("//header//a[@hreflang]/@href")
    signed = parse_qs(urlsplit(href).query)["vu"][0]
    packed, _, signature = signed.rpartition(".")
    made_up = urlsafe_b64encode(b'{"page":"R12","status":200,"reference":"evil","moment":"2026-01-01T00:00:00+00:00"}')
    forged = {
        "": "",
        "x": "x",
        "page": made_up.decode().rstrip("=") + "." + signature,
        "signature": packed + "." + "A" * len(signature),
        "purpose": house.gateway.house.keys.signer("form").sign(packed),
    }[change]
    reply = client.get("/connexion/refus?" + urlencode({"vu": forged}))
    assert (reply.status, reply.title) == (404, "Page introuvable")
    assert "evil" not in reply.text.partition("<main")[2]
    assert client.get(href.partition("&")[0]).status == refused.status


def test_what_the_host_s_rules_say_is_said_in_both_languages(
    make_house: Callable[..., TheHouse], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    house = make_house(admission=rules)
    client = house.client()
    client.get("/connexion/direct?lang=en")
    refused = sign_in(house, client, "jmartin")
    assert "Signing in worked. Not today." in words_of(refused)
    (href,) = refused.tree.xpath("//header//a[@hreflang]/@href")
    assert "La connexion a réussi. Pas aujourd’hui." in words_of(client.get(href))


def test_a_mailed_link_is_opened_in_the_language_of_the_browser(house: TheHouse) -> None:
    client = house.client()
    page = client.get("/connexion/mot-de-passe/oubli?lang=en")
    assert_english(client.submit(page, {"identifiant": ""}))
    sent = client.follow(client.submit(page, {"identifiant": "mdurand7"}))
    assert_english(sent)
    # No link opens an account that was never used; the pages of a dead one are enough here.
    link = "/connexion/mot-de-passe/lien?jeton=" + "x" * 40
    assert_english(client.follow(client.get(link)))
    assert language(house.client().follow(house.client().get(link))) == "fr"


def test_neutral_answers_are_equal_within_each_language(house: TheHouse) -> None:
    for lang in ("fr", "en"):
        answers = set()
        for who in ("mdurand7", "nobody77"):
            client = house.client()
            page = client.get(f"/connexion/mot-de-passe/oubli?lang={lang}")
            answers.add(client.submit(page, {"identifiant": who}).location)
            page = client.get(f"/connexion/direct?lang={lang}")
            refused = client.submit(page, {"identifiant": who, "motdepasse": "no"}).text
            kept = re.sub(r'value="[^"]*"|nonce="[^"]*"', "", refused)
            answers.add(kept)
        assert len(answers) == 2


def test_what_scripts_read_keeps_its_shape_and_leaves_no_cookie(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jmartin")
    json = {"Accept": "application/json"}
    french = client.get("/connexion/session", headers=json)
    english = client.get("/connexion/session?lang=en", headers=json)
    assert english.header("content-type") == french.header("content-type") == "application/json"
    assert "Stay signed in" in english.text
    assert "Rester en ligne" in french.text
    assert "ig-language" not in client.cookies


def test_a_host_that_speaks_one_language_is_asked_for_no_other(make_house: Callable[..., TheHouse]) -> None:
    for only, other in (("fr", "en"), ("en", "fr")):
        house = make_house(languages=[only])
        client = house.client()
        for path in ("/connexion/", f"/connexion/?lang={other}", f"/connexion/direct?lang={other}", "/connexion/rien"):
            reply = client.get(path, headers={"Accept-Language": other})
            assert reply.tree.get("lang") == reply.header("content-language") == only
            assert reply.header("vary") == "Accept"
            assert not reply.tree.xpath("//a[@hreflang]")
        assert "ig-language" not in client.cookies


def test_the_first_language_of_the_host_is_the_one_of_whoever_says_nothing(make_house: Callable[..., TheHouse]) -> None:
    client = make_house(languages=["en", "fr"]).client()
    assert language(client.get("/connexion/")) == "en"
    assert language(client.get("/connexion/", headers={"Accept-Language": "fr"})) == "fr"


def test_what_is_said_before_any_page_is_said_in_every_language(house: TheHouse) -> None:
    reply = house.client().get("//autre")
    assert (reply.status, reply.text) == (400, "Adresse illisible.\nThis address cannot be read.")


def test_no_sentence_stands_in_a_flow() -> None:
    """What people read comes from the catalogues, or from the policy in the language of the visit."""
    folder = Path(inspect.getfile(choose)).parent
    found = []
    for file in folder.glob("*.py"):
        source = file.read_text(encoding="utf-8")
        found += [(file.name, each) for each in re.findall(r"\.fr\b|\.en\b|FIRST_LANGUAGE", source)]
        code = re.sub(r'"""[\s\S]*?"""|#.*', "", source)
        found += [(file.name, each) for each in re.findall(r'"[^"\n]*[àâçéèêëîïôûùœ’«][^"\n]*"', code)]
    assert found == []
