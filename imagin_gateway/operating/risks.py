"""What remains to be feared, said for who approves the system: always, and because of these settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from imagin_gateway.settings import HeaderPortal, OidcPortal, SamlPortal, Settings
from imagin_gateway.settings.proconnect import PROCONNECT

ALWAYS: Final = (
    (
        "Un cookie de session pris dans un navigateur sert jusqu’à la fin de la session.",
        "cookie __Host-, HttpOnly, SameSite ; limites d’inactivité et de durée ; fin de session côté serveur",
    ),
    (
        "Un portail répond des personnes de son académie : s’il est compromis, il peut ouvrir une session à leur nom.",
        "académie, domaines et portée vérifiés ; portail fermé par enabled = false",
    ),
    (
        "Une lettre perdue, avant la première connexion, ouvre le compte à qui la trouve.",
        "une seule utilisation, durée limitée, réédition qui annule la précédente, notification par courriel",
    ),
    (
        "Une boîte de courriel compromise permet de choisir un nouveau mot de passe.",
        "lien d’une heure et d’un seul usage ; le second facteur reste demandé ; notification",
    ),
    (
        "Qui lit la base et les clés lit tout.",
        "clés hors de la base, une par usage ; sauvegardes séparées",
    ),
    (
        "Le code de l’application hôte tourne dans le même processus : une faille chez elle est une faille ici.",
        "hors du champ de la passerelle",
    ),
    ("L’heure du serveur est crue.", "comparée par imagin-gateway check à celle des portails et des bases"),
)
"""Risk, and what limits it."""


def rows(settings: Settings) -> Iterator[tuple[str, str]]:
    """Return the risks of these settings, then those of any."""
    if settings.development:
        yield "Mode développement : http, cookies sans Secure.", "refusé pour un nom d’hôte public"
    factors = settings.factors
    if not factors.on:
        yield "Aucun second facteur à la porte directe.", f"décision écrite : {factors.reason}"
    elif factors.mode == "optional":
        yield "Le second facteur est au choix de la personne.", "exigible compte par compte"
    if factors.trusted_days:
        days = f"{factors.trusted_days} jour{'s' if factors.trusted_days > 1 else ''}"
        yield f"Un ordinateur choisi se passe du second facteur {days}.", "liste et retrait"
    if not settings.keys.pepper:
        yield "Sans poivre, une copie de la base permet d’essayer des mots de passe choisis.", "coût d’Argon2id"
    if settings.accounts.url.startswith("sqlite"):
        yield "La base des comptes est un fichier en clair.", "droits du fichier, chiffrement du disque"
    if settings.sessions.reason:
        yield "Sessions plus longues que les limites conseillées.", f"décision écrite : {settings.sessions.reason}"
    if settings.events.retention_months > 12:
        yield "Événements gardés plus de douze mois.", f"décision écrite : {settings.events.reason}"
    service = settings.proconnect
    for door, portal in sorted({**settings.portals, **({PROCONNECT: service} if service else {})}.items()):
        if isinstance(portal, SamlPortal) and portal.allow_cbc:
            yield f"{door} : chiffrement AES-CBC accepté.", "dans une réponse signée seulement"
        if isinstance(portal, SamlPortal) and portal.unsolicited and not portal.unsolicited_restarts:
            yield f"{door} : réponses non demandées acceptées.", "un seul usage, page de confirmation"
        if isinstance(portal, SamlPortal) and portal.metadata is not None and portal.metadata_certificate is None:
            yield f"{door} : métadonnées crues sur la foi de leur fichier.", "droits du fichier"
        if isinstance(portal, HeaderPortal):
            yield (
                f"{door} : l’identité est crue sur la foi du mandataire.",
                "adresse, secret ou certificat du mandataire",
            )
        if isinstance(portal, OidcPortal) and portal.logout_id_token == "any":
            yield (
                f"{door} : le jeton d’identité est gardé entier jusqu’à la fin de la session, quoi qu’il dise.",
                "dans la session, jamais montré ; logout_id_token, ou un jeton réduit au portail",
            )
    if settings.mail.security == "none":
        yield "Le courrier part en clair jusqu’au relais.", "sur cette machine seulement"
    yield from ALWAYS
