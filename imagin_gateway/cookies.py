"""The cookies of the front door, for the page of a host that tells its visitors about them (row DPO-01).

Each is strictly needed for signing in or for its safety, or keeps what the person asked for on that very page: none
asks for consent (loi 78-17 art. 82; CNIL 2020-091, art. 5), so no banner is needed for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal

from imagin_gateway.flows import house as _house
from imagin_gateway.flows import last_door as _last_door
from imagin_gateway.flows import portal_login as _portal_login
from imagin_gateway.flows import proconnect as _proconnect
from imagin_gateway.flows import reset as _reset
from imagin_gateway.flows import second_step as _second_step
from imagin_gateway.flows import typed as _typed
from imagin_gateway.local import clients as _clients
from imagin_gateway.settings import SamlPortal, Settings

__all__ = ["Cookie", "cookies"]

JOURNEY: Final = "flow-*"
"""Use of the cookies of journeys: sixteen hexadecimal digits stand in the place of the star."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie, or one family of them.

    Attributes:
        name: as the browser shows it; a `*` stands for sixteen hexadecimal digits.
        purpose: what it is for, by language (`fr`, `en`).
        life: how long at most; None for one that ends with the browser.
        same_site: what it says of another site's requests. `None` is for what must come back with the form that a
            portal has the browser post; a journey to a portal that answers by an address is `Lax`.
    """

    name: str
    purpose: Mapping[str, str]
    life: timedelta | None
    same_site: tuple[Literal["Lax", "None"], ...] = ("Lax",)


def cookies(settings: Settings) -> tuple[Cookie, ...]:
    """Return every cookie that these settings may set: all `HttpOnly`, of this host alone, `Secure` over https.

    Args:
        settings: what is offered decides: no cookie of a second step where there is none.
    """
    return tuple(
        Cookie(
            settings.cookie_name(use),
            MappingProxyType({"fr": french, "en": english}),
            life,
            _CROSS_SITE.get(use, ("Lax",)) if settings.secure_cookies else ("Lax",),
        )
        for use, french, english, life in _USES
        if use in _used(settings)
        for life in [timedelta(days=settings.factors.trusted_days) if use == "trusted" else life]
    )


_CROSS_SITE: Final[Mapping[str, tuple[Literal["Lax", "None"], ...]]] = MappingProxyType(
    {JOURNEY: ("Lax", "None"), "restarted": ("None",), "language": ("None",)}
)

_USES: Final[tuple[tuple[str, str, str, timedelta | None], ...]] = (
    ("session", "numéro signé de la session ouverte", "signed id of the session", None),
    ("browser", "nom du navigateur, auquel les formulaires sont liés", "name of the browser, bound to forms", None),
    (JOURNEY, "un aller-retour vers un portail", "one journey to a portal", _house.JOURNEY),
    (
        "arrival",
        "une réponse de portail vérifiée, qui attend",
        "a portal's verified answer, waiting",
        _portal_login.ARRIVAL,
    ),
    ("restarted", "une connexion a été recommencée", "a login was begun again", _portal_login.RESTART),
    ("step", "un second contrôle qui attend", "a second step, waiting", _second_step.WAITING),
    ("key", "une connexion par clé d’accès qui attend", "a login by passkey, waiting", _second_step.WAITING),
    ("link", "un lien avec ProConnect à confirmer", "a link to ProConnect, to be confirmed", _proconnect.WAITING),
    ("reset", "un lien reçu par courriel, ouvert", "a link from a mail, opened", _reset.LINK_PAGE),
    (
        "typed",
        "l’identifiant tapé en dernier, pour ne pas le retaper",
        "the identifier typed last, not to be typed twice",
        _typed.LIFE,
    ),
    ("client", "ce navigateur est connu du compte", "this browser is known to the account", _clients.LIFE),
    (
        "trusted",
        "pas de second contrôle ici, à la demande de la personne",
        "no second step here, as the person asked",
        None,
    ),
    ("language", "la langue choisie", "the language chosen", None),
    ("door", "la porte prise en dernier", "the door taken last", _last_door.LIFE),
)
"""Use, purpose in French and in English, life."""


def _used(settings: Settings) -> frozenset[str]:
    service, factors = settings.proconnect, settings.factors
    linked = service is not None and service.enabled
    portals = [portal for portal in settings.portals.values() if portal.enabled]
    federated = linked or any(portal.protocol != "link" for portal in portals)
    wanted = {
        JOURNEY: federated,
        "arrival": federated,
        "restarted": any(isinstance(portal, SamlPortal) and portal.unsolicited_restarts for portal in portals),
        "step": factors.on,
        "key": factors.on and factors.passkey_alone,
        "trusted": factors.on and factors.trusted_days > 0,
        "link": linked,
        "door": settings.remember_door,
    }
    return frozenset(use for use, *_ in _USES if wanted.get(use, True))
