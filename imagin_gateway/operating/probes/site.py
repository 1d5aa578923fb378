"""Our own address, as people reach it: cookies, the certificate in front of us, the proxies between."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from imagin_gateway.errors import SettingsError, Unavailable
from imagin_gateway.operating.findings import Finding, fatal, good, warning
from imagin_gateway.operating.ground import Ground
from imagin_gateway.operating.probes.reaching import NoAnswer, ask, certificate, clock
from imagin_gateway.settings import HeaderPortal
from imagin_gateway.settings.paths import under

KEY: Final = "base_url"

SUBJECT: Final = "notre adresse"

CLOCK_SECONDS: Final = 60.0

_SHARED: Final = (
    ".github.io",
    ".herokuapp.com",
    ".azurewebsites.net",
    ".cloudfront.net",
    ".vercel.app",
    ".netlify.app",
)


def static(ground: Ground) -> Iterator[Finding]:
    """What the settings alone tell of our address, our cookies and our proxies."""
    settings = ground.settings
    parts = urlsplit(settings.base_url)
    host = parts.hostname or ""
    if not settings.development:
        yield from _name(settings.base_url, host, parts.port)
    if settings.secure_cookies:
        yield good("cookies.host", "cookies", f"__Host-, Secure, de {host} seul", KEY)
    for each in settings.protect:
        if under(settings.mount_path, each.prefix) and each.prefix != "/":
            text = f"{each.prefix} protège nos propres pages : personne ne pourrait se connecter"
            yield fatal("cookies.loop", "pages protégées", text, "un autre préfixe, ou un autre mount_path", "protect")
    if under(settings.landing, settings.mount_path):
        text = f"après une connexion, on arriverait sur {settings.landing}, une page de la passerelle"
        yield fatal("site.landing", "page d’arrivée", text, "une page de l’application hôte", "landing")
    headers = [door for door, portal in settings.portals.items() if isinstance(portal, HeaderPortal) and portal.enabled]
    if settings.trusted_proxies == 0 and not settings.development and not headers:
        text = (
            "aucun mandataire n’est déclaré : s’il y en a un, toutes les personnes ont l’adresse du mandataire, "
            "et quelques échecs font attendre tout le monde"
        )
        yield warning(
            "proxy.none",
            "mandataires",
            text,
            "trusted_proxies = 1 derrière un nginx ; voir docs/deployment.md",
            "trusted_proxies",
        )
    elif settings.trusted_proxies > 2:
        text = f"{settings.trusted_proxies} mandataires déclarés ; un de trop, et chacun choisit son adresse"
        yield warning(
            "proxy.many",
            "mandataires",
            text,
            "le nombre exact de mandataires qui ajoutent à X-Forwarded-For",
            "trusted_proxies",
        )
    elif settings.trusted_proxies:
        yield good("proxy.declared", "mandataires", f"{settings.trusted_proxies} déclaré(s)", "trusted_proxies")


def _name(url: str, host: str, port: int | None) -> Iterator[Finding]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        yield warning(
            "site.number",
            SUBJECT,
            f"{url} est un numéro : les passkeys et les portails veulent un nom",
            "un nom d’hôte",
            KEY,
        )
        return
    if "." not in host:
        yield warning(
            "site.short_name", SUBJECT, f"{host} n’est pas un nom complet", '"https://imagin.siec.education.fr"', KEY
        )
    elif host.endswith(_SHARED):
        text = f"{host} est un domaine partagé avec des inconnus"
        yield warning("site.shared_domain", SUBJECT, text, "un domaine à soi", KEY)
    if port not in (None, 443):
        text = f"le port {port} fait partie de l’adresse : Host doit le dire, et le portail l’inscrire"
        yield warning("site.port", SUBJECT, text, "le port 443, sans le dire", KEY)


def proxies(ground: Ground) -> Iterator[Finding]:
    """What the processes that serve have noticed of a proxy that the settings do not count."""
    from imagin_gateway.clock import SystemClock
    from imagin_gateway.keys import Keyring
    from imagin_gateway.operating.proxies import noticed
    from imagin_gateway.state import open_store

    settings = ground.settings
    url = settings.state.url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return  # nobody has served yet
    try:
        store = open_store(url)
    except SettingsError:
        return  # told by the look at the state
    with contextlib.closing(store), contextlib.suppress(Unavailable):
        for problem in noticed(settings, store, Keyring(settings.keys.signing), SystemClock()):
            yield fatal("proxy.noticed", "mandataires", problem.message, problem.remedy, problem.key)


def live(ground: Ground) -> Iterator[Finding]:
    """Ask our own site, through whatever stands in front of it."""
    settings = ground.settings
    page = settings.url("/")
    subject = f"{SUBJECT}, {settings.base_url}"
    try:
        answer = ask(page, ground.timeout)
    except NoAnswer as error:
        if error.name.startswith("certificate"):
            remedy = error.remedy.replace(
                "ca_file = le certificat de son autorité, en PEM", "un certificat reconnu, dans nginx"
            )
            yield fatal(f"site.{error.name}", subject, error.text, remedy, KEY)
        elif error.name == "name":
            yield fatal("site.name", subject, error.text, "inscrire ce nom au DNS", KEY)
        else:
            yield warning(
                f"site.{error.name}", subject, f"{error.text} ; le service n’est peut-être pas lancé", error.remedy, KEY
            )
        return
    yield from certificate("site", subject, answer.ends, ground.now, KEY)
    yield from clock("horloge de notre site", answer.theirs, ground, allowed=CLOCK_SECONDS, key=KEY, name="clock.site")
    if answer.status == 502 or answer.status == 504:
        yield warning(
            "site.behind_down",
            subject,
            f"le mandataire répond {answer.status}",
            "lancer l’application derrière lui",
            KEY,
        )
    elif answer.status == 404:
        text = f"{page} n’existe pas : ce n’est pas la passerelle, ou mount_path est autre"
        yield fatal(
            "site.not_ours", subject, text, "même mount_path ici, dans nginx et dans l’application", "mount_path"
        )
    elif answer.status in (400, 421):
        text = "la passerelle refuse le nom d’hôte que le mandataire lui transmet"
        yield fatal("proxy.host", subject, text, "proxy_set_header Host $host;", KEY)
    elif answer.status >= 500:
        yield fatal("site.error", subject, f"la page de connexion répond {answer.status}", "voir les événements", KEY)
    else:
        yield good("site.answers", subject, f"la page de connexion répond {answer.status}", KEY)
