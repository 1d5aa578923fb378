"""Every setting: its key, what it takes, its default and its bounds, what it means."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from imagin_gateway.keys import Secret
from imagin_gateway.settings import HeaderPortal, LinkPortal, OidcPortal, ProConnect, SamlPortal, Settings
from imagin_gateway.settings.portal import FederatedPortal
from imagin_gateway.settings.section import Section
from imagin_gateway.settings.whole import ENVIRONMENT_PREFIX
from scripts.reference.markdown import first_sentence, table, words_beside

PAGE: Final = "reference/settings.md"

DEVELOPMENT: Final[dict[str, str]] = {
    "base_url": "`http://` of this machine is accepted, and no public host name",
    "second_factor": "may be left out: none is asked for",
    "passwords.profile": "`unsafe-tests` is accepted",
    "mail.security": "`none` is accepted towards any host",
    "portals.*.issuer": "`http://` of this machine is accepted (OpenID Connect)",
}
"""What `development = true` changes, by key; a test tries each, with it and without."""

HEAD: Final = f"""# Settings

One TOML file, `Settings.load("gateway.toml")`, and the environment over it: `{ENVIRONMENT_PREFIX}` followed by the key
in capitals, two underscores between a section and its key. `{ENVIRONMENT_PREFIX}SESSIONS__IDLE_MINUTES=20` is
`idle_minutes` of `[sessions]`; lists and tables are JSON there. An unknown key is an error. `imagin-gateway check` tells
everything that is wrong at once, each with its key and what to write; of a variable that is no key's, it warns.

A *secret* is written `env:NAME`, `file:/path`, or as it is; it has no default, and is in no log. A path that the file says
is taken from the folder of the file, `sqlite:///state.db` too; write those of the environment whole.
"""

PORTALS: Final[tuple[tuple[str, str, type[BaseModel]], ...]] = (
    ('[portals.DOOR], protocol = "link"', "protocol = link", LinkPortal),
    ('[portals.DOOR], protocol = "saml"', "protocol = saml", SamlPortal),
    ('[portals.DOOR], protocol = "oidc"', "protocol = oidc", OidcPortal),
    ('[portals.DOOR], protocol = "header"', "protocol = header", HeaderPortal),
)


def text() -> str:
    """Return the page."""
    parts = [HEAD, "## The house\n", "Keys of no section, at the top of the file.\n", _table(Settings, whole=True)]
    for name, model in sections():
        parts += [f"\n## `[{name}]`\n", cleandoc(model.__doc__ or "") + "\n", _table(model)]
    parts += ["\n## `[portals.DOOR]`\n", "What every federated portal takes, whatever its protocol.\n"]
    parts += [_table(FederatedPortal)]
    for title, _, model in PORTALS:
        parts += [f"\n### `{title}`\n", cleandoc(model.__doc__ or "") + "\n", _table(model, beyond=FederatedPortal)]
    parts += ["\n## `[proconnect]`\n", cleandoc(ProConnect.__doc__ or ""), "", _proconnect()]
    parts += ["\n## In development\n", "`development = true` is for one machine, and says so in every event log.\n"]
    parts += [table(["key", "what it changes"], [(f"`{key}`", told) for key, told in DEVELOPMENT.items()])]
    return "\n".join(parts) + "\n"


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the sections and their names, portals apart, lists of sections as TOML writes them."""
    for name, field in Settings.model_fields.items():
        for model in _models(field.annotation):
            if issubclass(model, Section) and not issubclass(model, FederatedPortal | LinkPortal):
                yield (f"[{name}]" if _is_list(field.annotation) else name), model


def every_key() -> Iterator[tuple[str, type[BaseModel], str]]:
    """Yield every key, its model and its name there."""
    models: list[type[BaseModel]] = [Settings, *(model for _, model in sections()), *(model for _, _, model in PORTALS)]
    models.append(ProConnect)
    for model in models:
        for name in model.model_fields:
            yield f"{model.__name__}.{name}", model, name


def meaning(model: type[BaseModel], name: str) -> str:
    """Return what the code says beside a field, of the model itself or of the one it is made from."""
    for each in model.__mro__:
        ours = issubclass(each, BaseModel) and each.__module__.startswith("imagin_gateway")
        if ours and (said := words_beside(each).get(name)):
            return said
    return ""


def _proconnect() -> str:
    changed = {
        name: field
        for name, field in ProConnect.model_fields.items()
        if _default(field) != _default(OidcPortal.model_fields[name])
    }
    rows = [_row(ProConnect, name, field) for name, field in changed.items()]
    return "The keys of an OpenID Connect portal, with other defaults for these:\n\n" + table(HEADS, rows)


HEADS: Final = ["key", "takes", "default", "meaning"]


def _table(model: type[BaseModel], *, whole: bool = False, beyond: type[BaseModel] | None = None) -> str:
    rows = []
    for name, field in model.model_fields.items():
        if whole and any(True for found in _models(field.annotation) if issubclass(found, Section)):
            continue
        if beyond and name in beyond.model_fields and _same(field, beyond.model_fields[name]):
            continue
        rows.append(_row(model, name, field))
    return table(HEADS, rows)


def _row(model: type[BaseModel], name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    return (f"`{name}`", takes(field), _default(field), meaning(model, name) or _kind(model, name))


def _kind(model: type[BaseModel], name: str) -> str:
    return first_sentence(model.__doc__) if name == "protocol" else ""


def _same(one: FieldInfo, other: FieldInfo) -> bool:
    return one.annotation == other.annotation and one.default == other.default and one.metadata == other.metadata


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) is tuple


def takes(field: FieldInfo) -> str:
    """Return what a field takes, in words, with its bounds."""
    bounds = "".join(_bound(each) for each in field.metadata)
    return _words(field.annotation) + (f",{bounds.removeprefix(',')}" if bounds else "")


def _bound(limit: object) -> str:
    for kind, name, told in ((Ge, "ge", "from"), (Gt, "gt", "above"), (Le, "le", "to"), (Lt, "lt", "below")):
        if isinstance(limit, kind):
            return f" {told} {getattr(limit, name):,}"
    return ""


def _words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _words(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(each) for each in arguments if each is not type(None))
    if origin is tuple:
        return f"list: {_words(arguments[0])}"
    if origin is dict:
        return f"table: {_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, str) and annotation is not str:
        return " or ".join(f"`{each.value}`" for each in annotation)  # type: ignore[attr-defined]  # StrEnum
    plain: dict[Any, str] = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    named: dict[Any, str] = {Path: "path", Secret: "secret"}
    return {**plain, **named}.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default_factory() if field.default_factory else field.default  # type: ignore[call-arg]  # takes none
    if value is None or value is PydanticUndefined or value in ("", (), {}):
        return "none"
    if isinstance(value, Secret):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return ", ".join(f"`{key}` = {_listed(each)}" for key, each in value.items())
    return _listed(value)


def _listed(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"{value:,}" if isinstance(value, int | float) else f"`{value}`"
