"""The whole configuration: a TOML file, then the environment over it, then what two sections say together."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as NotRead

from imagin_gateway.errors import SettingsError
from imagin_gateway.problems import problem_of, wrong
from imagin_gateway.settings.appearance import Appearance
from imagin_gateway.settings.desk import Desk
from imagin_gateway.settings.direct import Accounts, Mail, Passwords, SecondFactor, one_address
from imagin_gateway.settings.environment import read_environment
from imagin_gateway.settings.header import HeaderPortal
from imagin_gateway.settings.house import Events, Keys, Metrics, Protected
from imagin_gateway.settings.loopback import is_loopback
from imagin_gateway.settings.oidc import OidcPortal
from imagin_gateway.settings.paths import checked_prefix
from imagin_gateway.settings.portal import LinkPortal
from imagin_gateway.settings.proconnect import ProConnect
from imagin_gateway.settings.saml import SamlPortal
from imagin_gateway.settings.secrets import MAKE_A_KEY
from imagin_gateway.settings.sessions import Sessions, State
from imagin_gateway.settings.together import problems_together
from imagin_gateway.settings.written import anchor, read_toml

ENVIRONMENT_PREFIX: Final = "IMAGIN_GATEWAY_"

PortalSettings = Annotated[LinkPortal | SamlPortal | OidcPortal | HeaderPortal, Field(discriminator="protocol")]


class Settings(BaseSettings):
    """The whole configuration of one gateway. Immutable.

    Build it with `Settings.load`; building it by hand raises pydantic's own errors.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        populate_by_name=True,
    )

    development: bool = False
    """Plain http on this machine, cookies without Secure. Loud, and refused for a public host name."""
    base_url: str
    """Address people see, scheme and host only: `https://imagin.siec.education.fr`."""
    mount_path: str = "/connexion"
    """Where the gateway answers, below the address; every page of ours is under it."""
    landing: str = "/"
    """Page after a login when none was asked for."""
    landings: tuple[str, ...] = ("/",)
    """Prefixes of the pages a login may come back to."""
    protect: tuple[Protected, ...] = ()
    """Parts of the application that ask for a session, by prefix."""
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    """How many proxies in front append to X-Forwarded-For."""
    contact: str = "imagin@siec.education.fr"
    """Mail address that pages and mails give to whoever needs help."""
    controller: str = "SIEC"
    """Who answers for personal data, as the login page says it."""
    privacy_url: str
    """Notice on personal data: a path of this site, or an https address; in the foot of every page."""
    legal_url: str
    """Legal notice, as above."""
    accessibility_url: str
    """Accessibility statement, as above."""
    accessibility: Literal["totalement conforme", "partiellement conforme", "non conforme"] = "non conforme"
    """The mention that the law asks for (RGAA 4.1); each language says it in its words."""
    languages: tuple[Literal["fr", "en"], ...] = ("fr", "en")
    """Languages people may choose, the default first; with one, nothing is offered."""
    remember_door: bool = False
    """Offer first, on the chooser, the door that last opened a session in this browser."""
    direct_links: bool = False
    """The chooser's doors lead straight to the portal or the form, without the page that explains them."""
    notice_before_portal: bool = False
    """Say, on a page with a way back, that one is about to leave for a portal."""
    policy: Path | None = None
    """Another policy table than SIEC's."""
    admission: Path | None = None
    """The host's own rules on what a proved identity may do (TOML, see `policy.admission`)."""
    keys: Keys
    state: State
    accounts: Accounts
    sessions: Sessions = Sessions()
    passwords: Passwords = Passwords()
    second_factor: SecondFactor | None = None
    """To be decided, in writing, outside development; there, none is none."""
    mail: Mail
    events: Events = Events()
    metrics: Metrics = Metrics()
    appearance: Appearance = Appearance()
    desk: Desk = Desk()
    portals: dict[str, PortalSettings] = Field(default_factory=dict)
    """The portals that are federated, by door: `[portals.arena-paris]`. A portal without its section is a link."""
    proconnect: ProConnect | None = None
    """Another way to accounts of the direct door, for those who linked the two; off unless it says `enabled`."""

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, /, **values: Any) -> Settings:
        """Read a TOML file, the environment over it, and `values` where neither says anything.

        Paths written in the file are taken from the folder of the file.

        Raises:
            SettingsError: listing every problem, each with its key and what to write.
        """
        folder = Path.cwd()
        source = ""
        if path is not None:
            file = Path(path)
            source, folder = str(file), file.resolve().parent
            values = {**values, **read_toml(file)}
        try:
            settings = cls(**anchor(values, folder))
        except (NotRead, RecursionError):
            raise SettingsError(read_environment(cls)[1], source) from None
        except ValidationError as error:
            problems = [
                problem_of(detail, cls, _EXPECTED) for detail in error.errors(include_url=False, include_input=False)
            ]
            # Not chained: the original carries what was typed, secrets included.
            raise SettingsError(problems, source) from None
        if problems := problems_together(settings):
            raise SettingsError(problems, source)
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return (env_settings, init_settings)

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str, info: ValidationInfo) -> str:
        example = '"https://imagin.siec.education.fr"'
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise wrong("l'adresse ou son port est illisible", example) from None
        if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc or not parts.hostname:
            raise wrong("l'adresse contient autre chose qu'un schéma et un hôte", example)
        if info.data.get("development"):
            if not is_loopback(parts.hostname):
                raise wrong(
                    "le mode développement refuse un nom d'hôte public", "development = false, ou http://localhost"
                )
        elif parts.scheme != "https":
            raise wrong("l'adresse doit être en https", '"https://..." (http seulement avec development = true)')
        if parts.scheme not in ("https", "http"):
            raise wrong("schéma inconnu", '"https://..."')
        # Browsers leave out the port that goes without saying, and Host is compared whole.
        said = "" if port in (None, {"https": 443, "http": 80}[parts.scheme]) else f":{port}"
        return f"{parts.scheme}://{_host(parts.hostname)}{said}"

    @field_validator("contact")
    @classmethod
    def _contact(cls, contact: str) -> str:
        return one_address(contact, "ce n'est pas une adresse électronique")

    @field_validator("mount_path")
    @classmethod
    def _mount(cls, path: str) -> str:
        if not path.startswith("/") or path.endswith("/"):
            raise wrong("le chemin de montage commence par « / » et ne finit pas par « / »", '"/connexion"')
        steps = path.split("/")[1:]
        plain = path.isascii() and path.isprintable() and not set(path) & set("?#*%\\{}<> ")
        if not plain or set(steps) & {"", ".", ".."}:
            raise wrong(
                "le chemin de montage n'a ni accent, ni espace, ni « // », ni « .. », ni signe comme « ? »",
                '"/connexion"',
            )
        return path

    @field_validator("landing")
    @classmethod
    def _landing(cls, path: str) -> str:
        if not path.startswith("/") or path.startswith(("//", "/\\")) or not (path.isascii() and path.isprintable()):
            raise wrong("la page d'arrivée est un chemin de ce site", '"/"')
        return path

    @field_validator("landings")
    @classmethod
    def _landings(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_prefix(prefix) for prefix in prefixes)

    @field_validator("languages")
    @classmethod
    def _languages(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if not codes or len(set(codes)) < len(codes):
            raise wrong("il faut au moins une langue, chacune une seule fois", '["fr", "en"]')
        return codes

    @field_validator("privacy_url", "legal_url", "accessibility_url")
    @classmethod
    def _link(cls, url: str) -> str:
        if not (url.startswith("https://") or (url.startswith("/") and not url.startswith("//"))):
            raise wrong(
                "ce lien n'est ni un chemin de ce site ni une adresse https", '"/donnees-personnelles" ou "https://..."'
            )
        return url

    @property
    def factors(self) -> SecondFactor:
        """What the direct door asks beside the password."""
        return self.second_factor or _NO_FACTOR

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies carry Secure and the `__Host-` prefix: always, outside development over http."""
        return self.base_url.startswith("https://")

    @property
    def host(self) -> str:
        """Host, with its port if any, as the Host header must say it."""
        return urlsplit(self.base_url).netloc

    def cookie_name(self, use: str) -> str:
        """Return the name of one of our cookies (`__Host-`: RFC 6265bis §4.1.3)."""
        return f"__Host-ig-{use}" if self.secure_cookies else f"ig-{use}"

    def url(self, path: str) -> str:
        """Return the absolute address of a path of the gateway, from the configuration alone."""
        return f"{self.base_url}{self.mount_path}{path}"


def _host(name: str) -> str:
    """Return a host as browsers write it in Host."""
    if ":" in name:
        return f"[{name}]"
    if not name.isascii():
        try:
            remedy = f'"https://{name.encode("idna").decode()}"'
        except UnicodeError:
            remedy = '"https://xn--..."'
        raise wrong("un nom d'hôte avec des accents s'écrit comme les navigateurs l'envoient", remedy)
    if not _HOST.fullmatch(name):
        raise wrong("ce nom d'hôte n'en est pas un", '"https://imagin.siec.education.fr"')
    return name


_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")

_NO_FACTOR: Final = SecondFactor(mode="off", reason="développement")


_KEYS_EXPECTED: Final = f'folder = "cles" puis imagin-gateway keys make ; ou ["..."], une clé : {MAKE_A_KEY}'

_EXPECTED: Final = {
    "base_url": '"https://imagin.siec.education.fr"',
    "privacy_url": "l'adresse de la notice « données personnelles »",
    "legal_url": "l'adresse des mentions légales",
    "accessibility_url": "l'adresse de la déclaration d'accessibilité",
    "keys": 'une section [keys] avec folder = "cles", puis imagin-gateway keys make',
    "keys.signing": _KEYS_EXPECTED,
    "keys.provisional": _KEYS_EXPECTED,
    "state": 'une section [state] avec url = "sqlite:///etat.db"',
    "state.url": '"sqlite:///etat.db"',
    "accounts": 'une section [accounts] avec url = "sqlite:///comptes.db"',
    "accounts.url": '"sqlite:///comptes.db"',
    "second_factor.mode": '"optional", "required" ou "off"',
    "mail": "une section [mail] avec host et sender",
    "mail.host": "le nom du relais SMTP",
    "mail.sender": '"imagin@siec.education.fr"',
    "portals.*.private_key": "imagin-gateway keys make avec le nom de cette porte, qui dit quoi écrire",
    "portals.*.certificate": "imagin-gateway keys make avec le nom de cette porte, qui dit quoi écrire",
}
