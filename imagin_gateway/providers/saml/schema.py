"""The OASIS schemas, compiled once; the files are those pysaml2 ships."""

from __future__ import annotations

import functools
import re
import threading
from importlib.resources import files
from typing import Any, Final

from lxml import etree

_DRIVER: Final = b"""<schema xmlns="http://www.w3.org/2001/XMLSchema">
<import namespace="urn:oasis:names:tc:SAML:2.0:protocol" schemaLocation="saml-schema-protocol-2.0.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:2.0:metadata" schemaLocation="saml-schema-metadata-2.0.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:metadata:ui" schemaLocation="sstc-saml-metadata-ui-v1.0.xsd"/>
<import namespace="http://www.w3.org/2009/xmlenc11#" schemaLocation="xenc-schema-11.xsd"/>
</schema>"""


class _Shipped(etree.Resolver):
    """Answers every address with the shipped file of that name, or with nothing: never the network."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = files("saml2.data.schemas")

    def resolve(self, url: str, pubid: str, context: Any) -> Any:  # type: ignore[override]  # the stub lacks context
        name = url.rsplit("/", 1)[-1]
        shipped = self._folder / name
        if not name.endswith(".xsd") or not shipped.is_file():
            return self.resolve_empty(context)  # type: ignore[attr-defined]  # missing from the stub
        return self.resolve_string(shipped.read_bytes(), context, base_url=f"shipped:/{name}")


@functools.cache
def _compiled() -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True, load_dtd=False)
    parser.resolvers.add(_Shipped())
    return etree.XMLSchema(etree.fromstring(_DRIVER, parser))


_one_at_a_time = threading.Lock()


def load() -> None:
    """Compile the schemas now, so that no request pays for it."""
    with _one_at_a_time:
        _compiled()


def is_valid(root: etree._Element) -> bool:
    """Tell whether a message or metadata follows the schemas of SAML 2.0."""
    with _one_at_a_time:  # a compiled schema keeps its last errors: one user at a time, 30 µs each
        return _compiled().validate(root)


_PLACE: Final = re.compile(r"Element '(?:\{[^}']*\})?([^']+)'(?:, attribute '(?:\{[^}']*\})?([^']+)')?")


def fault(root: etree._Element) -> str:
    """Return where a message or metadata first leaves the schemas, and which rule it breaks; "" when it does not.

    Names of elements and attributes, and of the rule (XML Schema 1 appendix C); no value, which may tell somebody's.
    """
    with _one_at_a_time:
        if _compiled().validate(root):
            return ""
        log: Any = _compiled().error_log
        first = log[0]
    place = _PLACE.match(first.message)
    names = [each for each in place.groups() if each] if place is not None else []
    rule = first.type_name.removeprefix("SCHEMAV_").lower().replace("_", "-")
    return f"{'/@'.join(names) or '?'} ({rule})"
