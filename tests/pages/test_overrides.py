"""What a host changes of the pages, and what it is told when that is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from imagin_gateway.errors import SettingsError
from imagin_gateway.pages import templating
from imagin_gateway.pages.language import Language
from imagin_gateway.pages.overrides import overridden
from imagin_gateway.pages.render import LOGO_PATH, Pages
from imagin_gateway.pages.templating import our_catalogues
from imagin_gateway.pages.texts import NBSP, Catalogue
from imagin_gateway.settings import Settings
from tests.pages import reference
from tests.pages.conftest import read, render, settings, words
from tests.pages.states import STATES
from tests.pages.test_headers import policy_of


def host(folder: Path, **files: str | bytes) -> Settings:
    """Return the settings of a host that gives files: `texts_fr`, `templates_logout`, `style`, `logo`."""
    named: dict[str, Path] = {}
    for name, content in files.items():
        section, _, stem = name.partition("_")
        ending = {"texts": ".toml", "templates": ".html", "style": ".css", "logo": ".svg"}[section]
        file = folder / section / f"{stem}{ending}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        named[section] = file.parent if stem else file
    return settings(appearance=named)


def problems(folder: Path, **files: str | bytes) -> dict[str, str]:
    """Return what a host is told, by key."""
    with pytest.raises(SettingsError) as refused:
        Pages(host(folder, **files))
    return {each.key: f"{each.message} → {each.remedy}" for each in refused.value.problems}


def test_a_host_changes_a_text_and_its_typography_is_put_in(tmp_path: Path) -> None:
    pages = Pages(
        host(
            tmp_path,
            texts_fr="[login]\nsubmit = \"C'est parti !\"\n[host]\nmotto = 'Allez {who}'\n",
            texts_en='[host]\nmotto = "Go on {who}"\n[password.title]\nfirst = "It\'s the first"\n',
        )
    )
    assert f"C’est parti{NBSP}!" in words(read(render(pages, "login")))
    assert "Sign in" in words(read(render(pages, "login", "en")))
    assert pages.text("password.title.first", "en") == "It’s the first"
    assert pages.text("host.motto", "fr", who="Zoé") == "Allez Zoé"
    # Ours is as it was, for whoever else is in this process.
    assert Catalogue.load("fr")("login.submit") == "Se connecter"


def test_a_host_changes_a_text_that_depends_on_a_number(tmp_path: Path) -> None:
    text = 'too_short = { by = "missing", one = "Encore un.", other = "Encore {missing}, sur {minimum}." }'
    pages = Pages(host(tmp_path, texts_fr=f"[password]\n{text}\n"))
    assert pages.text("password.too_short", "fr", missing=1, minimum=15) == "Encore un."
    assert pages.text("password.too_short", "fr", missing=3, minimum=15) == "Encore 3, sur 15."


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        ('[login]\nsubmitt = "x"', "login.submitt", "vouliez-vous écrire « login.submit » ?"),
        ('[nothing]\nhere = "x"', "nothing.here", "host."),
        ('[frame]\nhelp = "Écrivez-nous."', "frame.help", "il manque {contact}"),
        ('[login]\nsubmit = "Oui {x}"', "login.submit", "{x} n'existe pas"),
        ('[frame]\nhelp = "{contact.__class__}"', "frame.help", "accolades mal formées"),
        ('[frame]\nhelp = "{contact!r}"', "frame.help", "accolades mal formées"),
        ('[frame]\nhelp = "{contact:>99999999}"', "frame.help", "accolades mal formées"),
        ('[frame]\nhelp = "{} {contact}"', "frame.help", "accolades mal formées"),
        ('[frame]\nhelp = "{0}"', "frame.help", "accolades mal formées"),
        ('[login]\nsubmit = "{"', "login.submit", "accolades mal formées"),
        ("[login]\nsubmit = 3", "login.submit", "un texte est attendu"),
        ('[login]\nsubmit = " "', "login.submit", "un texte est attendu"),
        ('[login]\nsubmit = ["x"]', "login.submit", "un texte est attendu"),
        ('[password]\ntoo_short = "Trop court."', "password.too_short", "dépend d'un nombre"),
        ('[password]\ntoo_short = { other = "{missing} {minimum}" }', "password.too_short", "dépend d'un nombre"),
        (
            '[password]\ntoo_short = { by = "minimum", one = "x", other = "{missing} {minimum}" }',
            "password.too_short",
            'by = "missing"',
        ),
        (
            '[password]\ntoo_short = { by = "missing", one = "x", other = "{missing}" }',
            "password.too_short",
            "il manque {minimum}",
        ),
        (
            '[password]\ntoo_short = { by = "missing", one = "{x}", other = "{missing} {minimum}" }',
            "password.too_short",
            "{x} n'existe pas",
        ),
        ('[login.submit]\none = "x"', "login.submit.one", "aucun texte ne porte cette clé"),
        ('[login]\nhelp_ask_new = "ailleurs"', "login.help_no_password", "login.help_ask_new"),
        ('[login]\nnotice = "{controller}"', "login.notice", "Données personnelles"),
        ('[host]\nmotto = "{a.b}"', "host.motto", "accolades mal formées"),
        ('[spoken]\nmonths = "janv. févr."', "spoken.months", "mots attendus : 12 ; il y en a 2"),
        (f'[spoken]\nmonths = "{"mois " * 13}"', "spoken.months", "mots attendus : 12 ; il y en a 13"),
        ('[spoken]\nhalves = "am"', "spoken.halves", "mots attendus : 2 ; il y en a 1"),
    ],
)
def test_a_text_that_does_not_fit_stops_the_start_and_says_what_to_write(
    tmp_path: Path, text: str, key: str, told: str
) -> None:
    assert told in problems(tmp_path, texts_fr=text)[f"texts.fr.{key}"]


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        texts_fr='[login]\nsubmit = "{x}"\nno = "x"\n',
        texts_en="a = " + "[" * 9000,
        texts_de='[login]\nsubmit = "x"\n',
        templates_logout='{{ t("host.absent") }}',
    )
    assert set(found) == {
        "texts.fr.login.submit",
        "texts.fr.login.no",
        "texts.en.toml",
        "texts.de.toml",
        "texts.fr.host.absent",
        "texts.en.host.absent",
    }


@pytest.mark.parametrize(
    "asks", ["{% extends 'bas.html' %}", "{% import 'bas.html' as x %}", "{% from 'bas.html' import x %}"]
)
def test_a_template_that_stands_on_none_stops_the_start(tmp_path: Path, asks: str) -> None:
    told = problems(tmp_path, templates_login=asks + "{% include 'bas.html' %}")
    assert told == {
        "templates.login.html": "le gabarit bas.html qu'il demande n'existe pas → vouliez-vous écrire « base.html » ?"
    }


def test_a_template_may_stand_on_one_of_the_host_and_on_none_that_it_can_do_without(tmp_path: Path) -> None:
    asks = "{% extends 'cadre.html' %}{% include 'rien.html' ignore missing %}{% include ['rien.html', 'base.html'] %}"
    Pages(host(tmp_path, templates_cadre='{% extends "base.html" %}', templates_login=asks))


@pytest.mark.parametrize("name", ["texts", "templates", "style", "logo"])
def test_a_file_or_folder_that_does_not_exist_stops_the_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError):
        Pages(settings(appearance={name: tmp_path / "none"}))


def test_paths_are_taken_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[appearance]\nstyle = "theme.css"\ntexts = "textes"\nlogo = "l.svg"\ntemplates = "gabarits"\n')
    with pytest.raises(SettingsError) as refused:
        Settings.load(file)
    assert not [each for each in refused.value.problems if each.key.startswith("appearance")]
    rest = settings().model_dump(exclude={"appearance", "keys"}, exclude_none=True)
    loaded = Settings.load(file, **{**rest, "keys": settings().keys})
    assert loaded.appearance.style == tmp_path / "theme.css"
    assert loaded.appearance.texts == tmp_path / "textes"
    assert loaded.appearance.logo == tmp_path / "l.svg"
    assert loaded.appearance.templates == tmp_path / "gabarits"


def test_a_template_of_the_settings_stands_in_and_may_use_texts_of_the_host(tmp_path: Path) -> None:
    pages = Pages(
        host(
            tmp_path,
            templates_logout='{% extends "base.html" %}{% set title = "x" %}'
            '{% block main %}<h1>{{ t("host.motto") }}</h1>{% endblock %}',
            texts_fr='[host]\nmotto = "<b>"\n',
            texts_en='[host]\nmotto = "en"\n',
        )
    )
    assert b"<h1>&lt;b&gt;</h1>" in render(pages, "logout").body
    assert b"<h1>en</h1>" in render(pages, "logout", "en").body


def test_a_template_that_was_compiled_and_then_changed_is_compiled_anew(tmp_path: Path) -> None:
    """What this process has compiled is kept by what stood in the file, not by its name alone."""
    for text in ("before", "after"):
        (tmp_path / "mine.html").write_text(text, encoding="utf-8")
        assert templating._environment(tmp_path).get_template("mine.html").render() == text


def test_a_theme_is_served_from_our_own_path_named_after_its_content_and_checked(tmp_path: Path) -> None:
    css = ":root { --ig-accent: #5b2a86 }"
    pages = Pages(host(tmp_path, style=css))
    response = render(pages, "login")
    ours, theme = read(response).xpath("//link[@rel='stylesheet']")
    assert ours.get("href") == pages.style_path
    assert re.fullmatch(r"/connexion/theme-[0-9a-f]{8}\.css", theme.get("href"))
    served = pages.asset(theme.get("href").removeprefix("/connexion"))
    assert served is not None
    assert (served.body.decode(), served.content_type) == (css, "text/css; charset=utf-8")
    assert "immutable" in dict(served.headers)["Cache-Control"]
    assert theme.get("integrity").startswith("sha384-")
    assert theme.get("integrity") != ours.get("integrity")
    assert policy_of(response.headers)["style-src"] == "'self'"
    other = Pages(host(tmp_path, style=css + " "))
    assert read(render(other, "login")).xpath("//link/@href")[1] != theme.get("href")
    assert other.asset(theme.get("href").removeprefix("/connexion")) is None
    # Without one, there is none.
    assert len(read(render(Pages(settings()), "login")).xpath("//link[@rel='stylesheet']")) == 1


@pytest.mark.parametrize(
    "css",
    [
        "@import 'https://evil.example/x.css';",
        "@IMPORT url(x)",
        "body { background: url(https://evil.example/x.png) }",
        "body { background: URL ( 'data:image/png;base64,AAAA' ) }",
        "body { background: u/**/rl(x) }\nbody { background: url(y) }",
        "@font-face { font-family: x; src: local(x) }",
        "body { background: image-set('x.png' 1x) }",
        r"body { background: \75rl(x) }",
        r"body { background: \000075 rl(x) }",
        r"body { background: u\rl(x) }",
        b"\xff\xfe",
        " " * (256 * 1024 + 1),
    ],
)
def test_a_theme_that_would_fetch_something_stops_the_start(tmp_path: Path, css: str | bytes) -> None:
    assert "appearance.style" in problems(tmp_path, style=css)


def test_a_theme_may_name_url_in_a_comment(tmp_path: Path) -> None:
    Pages(host(tmp_path, style="/* no url(x) here */ q::before { content: '\\201C\\ffffff' }"))


def test_a_logo_of_the_host_is_the_one_portals_show_and_nothing_in_it_runs(tmp_path: Path) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    served = Pages(host(tmp_path, logo=svg)).asset(LOGO_PATH)
    assert served is not None
    assert served.body.decode() == svg
    assert "sandbox" in dict(served.headers)["Content-Security-Policy"]
    assert "default-src 'none'" in dict(served.headers)["Content-Security-Policy"]
    for wrong in ("<html>", "x" * (64 * 1024 + 1)):
        assert "appearance.logo" in problems(tmp_path, logo=wrong)


@profile(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.dictionaries(st.sampled_from(sorted(our_catalogues()["fr"])), st.text(max_size=40), max_size=3))
def test_no_text_of_a_host_breaks_a_page_once_it_was_accepted(tmp_path: Path, texts: dict[str, str]) -> None:
    lines = [f'"{key}" = {_quoted(text)}' for key, text in texts.items()]
    (tmp_path / "fr.toml").write_text("\n".join(_nested(line) for line in lines), encoding="utf-8")
    changed, found = overridden(our_catalogues(), tmp_path)
    accepted = changed["fr"]
    for key in accepted:
        accepted._texts[key].format(**dict.fromkeys(accepted.placeholders(key), "x"))
    if not found:
        for key in texts:
            assert accepted.placeholders(key) == our_catalogues()["fr"].placeholders(key)


def _quoted(text: str) -> str:
    escaped = "".join(
        sign if sign.isprintable() and sign not in '"\\' else f"\\U{ord(sign):08x}" for sign in text if sign != "\x7f"
    )
    return f'"{escaped}"'


def _nested(line: str) -> str:
    key, _, value = line.partition(" = ")
    return ".".join(f'"{part}"' for part in key.strip('"').split(".")) + " = " + value


def test_the_lists_of_the_document_for_hosts_are_those_of_the_code() -> None:
    document = reference.DOC.read_text(encoding="utf-8")
    assert reference.written(document) == document, "python -m tests.pages.reference"


def test_every_class_of_the_pages_is_told_and_every_class_told_is_there(pages: Pages) -> None:
    assert reference.hooks().keys() == reference.BLOCKS.keys()
    for name in STATES:
        classes = {each for value in read(render(pages, name)).xpath("//@class") for each in value.split()}
        assert {each.partition("--")[0] for each in classes} <= reference.BLOCKS.keys()


@pytest.mark.parametrize("name", STATES)
def test_every_block_of_a_page_has_a_class_and_the_page_its_name(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    assert tree.find("body").get("class").split() == ["ig-page", f"ig-page--{STATES[name].page}"]
    beside = "section[not(parent::*[@class='ig-help'])]"
    for block in tree.xpath(f"//main | //main/* | //body/* | //form | //{beside} | //input[not(@type='hidden')]"):
        plain = (
            block.tag in ("h1", "p")
            or block.get("type") in ("radio", "checkbox")
            or block.get("role") == "img"
            or block.get("id") == "compte"
        )
        assert plain or block.get("class"), block.tag


def test_the_document_s_own_examples_are_accepted(tmp_path: Path) -> None:
    document = reference.DOC.read_text(encoding="utf-8")
    texts = re.search(r"```toml\n(\[frame\][\s\S]*?)```", document)
    style = re.search(r"```css\n([\s\S]*?)```", document)
    assert texts
    assert style
    values: dict[str, Any] = {"texts_fr": texts[1], "style": style[1]}
    pages = Pages(host(tmp_path, **values))
    title = pages.render("logout", language=Language("fr"), **STATES["logout"].values)
    assert "Concours de Lyon" in words(read(title).find(".//title"))
