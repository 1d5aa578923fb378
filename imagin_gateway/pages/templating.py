"""The templates, compiled and proved when the gateway starts: no key can lack on the day somebody reads the page."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Final

import jinja2
from jinja2 import nodes
from jinja2.bccache import Bucket
from markupsafe import escape

from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.pages.overrides import OWN, overridden
from imagin_gateway.pages.prose import prose, unmentioned
from imagin_gateway.pages.texts import FIRST_LANGUAGE, Catalogue, languages
from imagin_gateway.pages.views import Link, checked_href, host_of

REFUSALS: Final = (
    *(f"R{number}" for number in range(1, 15)),
    *("R16", "R17", "R20", "R21"),
    *(f"R{number}" for number in range(30, 36)),
)
"""The pages of refusals, as the wording names them."""

DESK_ACTS: Final = ("reissue", "replace", "unlock", "link", "factors", "change", "disable", "enable")
"""What somebody at the help desk can do, by the name of its texts."""

PASSWORD_MODES: Final = ("first", "change", "reset")

FACTOR_REFUSALS: Final = (
    *("code_wrong", "code_used", "clock", "recovery_wrong", "too_many_tries", "gone", "challenge", "origin"),
    *("unknown", "counter", "unverified", "answer", "limit", "needed", "missing"),
)
"""What may be wrong with a second factor, as the codes say it; `missing`: nothing was typed."""

_BUILT_FROM_VALUES: Final = (
    *(f"factor.{each}" for each in FACTOR_REFUSALS),
    *(f"refusal.{each}.{part}" for each in REFUSALS for part in ("title", "text")),
    *(f"password.title.{mode}" for mode in PASSWORD_MODES),
    *(f"desk.act.{act}.{part}" for act in DESK_ACTS for part in ("label", "title", "text", "submit")),
    *(f"desk.act.{act}.done" for act in DESK_ACTS if act not in ("reissue", "replace")),
    *(f"password_done.{mode}.{part}" for mode in PASSWORD_MODES for part in ("title", "text")),
)
"""Keys that templates make from a value, and that reading the templates cannot find."""


def inline(text: str, language: str) -> str:
    """Return a name as it stands within a sentence: « Portail de Paris » becomes « portail de Paris ».

    English begins it with the name of the place: “Paris portal” stays as it is.
    """
    return text[:1].lower() + text[1:] if language == "fr" and text[1:2].islower() else text


@jinja2.pass_context
def _inline(context: jinja2.runtime.Context, text: str) -> str:
    return inline(text, context["language"])


@dataclass(frozen=True, slots=True)
class Words:
    """Templates and texts that fit each other."""

    templates: jinja2.Environment
    catalogues: Mapping[str, Catalogue]


@lru_cache(maxsize=8)
def words(templates: Path | None, texts: Path | None) -> Words:
    """Return templates and texts, the host's over ours, proved to fit.

    Args:
        templates: folder of the host; a template there stands in for ours of the same name.
        texts: folder of the host; a text there stands in for ours of the same key.

    Raises:
        SettingsError: with everything wrong: a folder that does not exist, a template that cannot be read or names a
            text that no catalogue holds, a text whose key or parameters are none of ours.
    """
    catalogues = dict(our_catalogues())
    problems: list[Problem] = []
    if texts is not None:
        catalogues, problems = overridden(catalogues, texts)
    environment = _environment(None if templates is not None and not templates.is_dir() else templates)
    if templates is not None and not templates.is_dir():
        problems.append(Problem("templates", "ce dossier n'existe pas", "donner un dossier de gabarits"))
    problems += [*_template_problems(environment, catalogues), *_catalogue_problems(catalogues)]
    if problems:
        raise SettingsError(problems)
    return Words(environment, catalogues)


class _Compiled(jinja2.BytecodeCache):
    """What this process has compiled: several gateways in it have most of their templates in common."""

    MOST_KEPT: Final = 256

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code of a template of the same name, file and source."""
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        if bucket.code is not None and len(self._known) < self.MOST_KEPT:
            self._known[bucket.key, bucket.checksum] = bucket.code


_compiled: Final = _Compiled()


def _environment(overrides: Path | None) -> jinja2.Environment:
    """Return the templates, everything escaped, a missing value an error."""
    ours = jinja2.PackageLoader("imagin_gateway.pages")
    templates = jinja2.Environment(
        loader=ours if overrides is None else jinja2.ChoiceLoader([jinja2.FileSystemLoader(overrides), ours]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        bytecode_cache=_compiled,
    )
    templates.filters["inline"] = _inline
    templates.filters["href"] = checked_href
    templates.globals["link"] = Link
    templates.globals["host_of"] = host_of
    templates.globals["unmentioned"] = unmentioned
    return templates


@lru_cache(maxsize=1)
def our_catalogues() -> Mapping[str, Catalogue]:
    """Return every catalogue of ours, by language, French first."""
    return {language: Catalogue.load(language) for language in languages()}


def _template_problems(templates: jinja2.Environment, catalogues: Mapping[str, Catalogue]) -> Iterator[Problem]:
    known = frozenset(templates.list_templates())
    for name in templates.list_templates(extensions=["html"]):
        try:
            source, _, _ = (templates.loader or jinja2.DictLoader({})).get_source(templates, name)
            asked, others = _texts_asked(source), _templates_asked(source)
            templates.get_template(name)
        except (jinja2.TemplateError, UnicodeDecodeError) as error:
            yield Problem(f"templates.{name}", f"gabarit illisible ({type(error).__name__})", "corriger le gabarit")
            continue
        for other in sorted(others - known):
            near = difflib.get_close_matches(other, known, n=1)
            remedy = f"vouliez-vous écrire « {near[0]} » ?" if near else "nommer un gabarit qui existe"
            yield Problem(f"templates.{name}", f"le gabarit {other} qu'il demande n'existe pas", remedy)
        for key, given in asked:
            for catalogue in catalogues.values():
                if key not in catalogue:
                    yield _missing(catalogue, key, f"le gabarit {name}")
                elif given is not None and key in set(catalogue) and not catalogue.placeholders(key) <= given:
                    yield Problem(f"templates.{name}", f"le texte {key} demande un paramètre de plus", "le donner")


@lru_cache(maxsize=256)
def _texts_asked(source: str) -> tuple[tuple[str, frozenset[str] | None], ...]:
    """Find every `t("key", name=...)`; the names are None when the call unpacks a mapping. Raises `TemplateError`."""
    return tuple(_asked_in(jinja2.Environment(autoescape=True).parse(source)))


@lru_cache(maxsize=256)
def _templates_asked(source: str) -> frozenset[str]:
    """Find every template that another stands on: compiling it does not open them. Raises `TemplateError`."""
    tree = jinja2.Environment(autoescape=True).parse(source)
    needed = [each.template for each in tree.find_all(nodes.Extends)]
    needed += [each.template for each in tree.find_all(nodes.Import)]
    needed += [each.template for each in tree.find_all(nodes.FromImport)]
    needed += [each.template for each in tree.find_all(nodes.Include) if not each.ignore_missing]
    return frozenset(each.value for each in needed if isinstance(each, nodes.Const) and isinstance(each.value, str))


def _asked_in(tree: nodes.Template) -> Iterator[tuple[str, frozenset[str] | None]]:
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "t" and call.args:
            key = call.args[0]
            if isinstance(key, nodes.Const) and isinstance(key.value, str):
                names = frozenset(argument.key for argument in call.kwargs)
                yield key.value, None if call.dyn_kwargs is not None else names


_LINKED: Final = {
    "login.help_ask_new": ("login.help_no_password", "login.help_provisional"),
    "login.academic_link": ("login.academic",),
    "frame.privacy": ("login.notice",),
    "forgotten_sent.nothing_again": ("forgotten_sent.nothing_check",),
    "address_codes.nothing_again": ("address_codes.nothing_check",),
}
"""Words that are a link within a sentence: a sentence without them would lose the link."""


def _catalogue_problems(catalogues: Mapping[str, Catalogue]) -> Iterator[Problem]:
    first = {key for key in catalogues[FIRST_LANGUAGE] if not key.startswith(OWN)}
    for catalogue in catalogues.values():
        for key in _BUILT_FROM_VALUES:
            if key not in catalogue:
                yield _missing(catalogue, key, "une page")
        for key in first ^ {key for key in catalogue if not key.startswith(OWN)}:
            yield _missing(catalogue, key, "un autre catalogue")
        texts = dict(catalogue.items())
        for label, sentences in _LINKED.items():
            for key in sentences:
                if prose(texts[key], [Link(texts[label], "/")]) == escape(texts[key]):
                    where = f"texts.{catalogue.language}.{key}"
                    yield Problem(where, f"les mots du lien {label} n'y sont pas", f"y écrire « {texts[label]} »")


def _missing(catalogue: Catalogue, key: str, asker: str) -> Problem:
    return Problem(f"texts.{catalogue.language}.{key}", f"texte absent, demandé par {asker}", "l'ajouter au catalogue")
