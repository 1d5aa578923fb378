"""One validated configuration: a TOML file, then the environment over it.

Everything that can be wrong is told at once, with the key and what to write.
There is no default secret. A secret may be written `env:NAME` or `file:/path`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.identity import Activity
from imagin_gateway.keys import MINIMUM_KEY_BYTES, Secret
from imagin_gateway.problems import problem_of, wrong
from imagin_gateway.state.address import refusal

ENVIRONMENT_PREFIX: Final = "IMAGIN_GATEWAY_"

MAKE_A_KEY: Final = "python -c 'import secrets; print(secrets.token_urlsafe(48))'"

_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise wrong("un secret est un texte", "mettre la valeur entre guillemets, ou « env:NOM », ou « file:/chemin »")
    if value.startswith("env:"):
        found = os.environ.get(value[4:])
        if found is None:
            raise wrong(f"la variable d'environnement {value[4:]} n'existe pas", "la définir avant le démarrage")
        return Secret(found)
    if value.startswith("file:"):
        try:
            return Secret(Path(value[5:]).read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError):
            raise wrong("le fichier du secret ne peut pas être lu", "vérifier le chemin et les droits") from None
    return Secret(value)


SecretText = Annotated[Secret, PlainValidator(_secret)]

# None is short: one key in ten thousand made by chance holds a given word of four letters.
_EXAMPLES: Final = ("change", "example", "exemple", "secret-key", "password", "xxxxxxxx", "replace", "remplacer")


def _key_problem(key: Secret) -> str:
    value = key.reveal()
    if len(value.encode()) < MINIMUM_KEY_BYTES:
        return f"une clé compte moins de {MINIMUM_KEY_BYTES} octets"
    if len(set(value)) < 10:
        return "une clé est faite de signes répétés"
    if any(word in value.lower() for word in _EXAMPLES):
        return "une clé ressemble à une valeur d'exemple"
    return ""


def _prefix(prefix: str) -> str:
    """Return a prefix of paths as paths arrive: decoded, without a final slash, with nothing that never matches."""
    if not prefix.startswith("/") or not prefix.isprintable() or set(prefix) & set("?#*%\\{}<> "):
        raise wrong("un préfixe est un chemin tel quel, sans « * », « % », « ? » ni espace", 'par exemple "/missions"')
    kept = prefix.rstrip("/") or "/"
    if any(part in ("", ".", "..") for part in kept.split("/")[1:]) and kept != "/":
        raise wrong("un préfixe n'a ni « // », ni « . », ni « .. »", 'par exemple "/missions"')
    return kept


def _keys(keys: tuple[Secret, ...]) -> tuple[Secret, ...]:
    if not keys:
        raise wrong("aucune clé", f"en fabriquer une : {MAKE_A_KEY}")
    for key in keys:
        if problem := _key_problem(key):
            raise wrong(problem, f"en fabriquer une : {MAKE_A_KEY}")
    if len({key.reveal() for key in keys}) < len(keys):
        raise wrong(
            "la même clé figure deux fois", "garder chaque clé une seule fois, de la plus ancienne à la plus récente"
        )
    return keys


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


class Keys(_Section):
    """Secrets of the house, each a list from the oldest to the newest."""

    signing: tuple[SecretText, ...]
    """Signs cookies, forms, journeys and reset links, each under a purpose of its own."""
    provisional: tuple[SecretText, ...]
    """Keeps provisional passwords; a copy of the database without it verifies nothing."""

    @field_validator("signing", "provisional")
    @classmethod
    def _strong(cls, keys: tuple[Secret, ...], info: ValidationInfo) -> tuple[Secret, ...]:
        _keys(keys)
        others = {key.reveal() for key in info.data.get("signing", ())} if info.field_name == "provisional" else set()
        if any(key.reveal() in others for key in keys):
            raise wrong("cette clé sert déjà à keys.signing", "une clé par usage")
        return keys


class State(_Section):
    """Ephemeral state: sessions, journeys, replay ids, counters."""

    url: str = Field(repr=False)
    """`sqlite:///path` (embedded, one machine); `redis://host`, `rediss://host` (TLS) or `unix:///socket` (Redis)."""

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if found := refusal(url):
            raise wrong(*found)
        return url


class Accounts(_Section):
    """Lasting accounts of the direct door."""

    url: str = Field(repr=False)
    """SQLAlchemy URL: `sqlite:///path` or `postgresql+psycopg://...`."""

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise wrong("adresse de base inconnue", "sqlite:///chemin/comptes.db ou postgresql+psycopg://hôte/base")
        return url


class Sessions(_Section):
    """Limits of a session (rows SES-07 and SES-08 of the checklist)."""

    idle_minutes: int = Field(default=30, ge=1, le=60)
    absolute_hours: int = Field(default=10, ge=1, le=24)

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)

    @property
    def absolute(self) -> timedelta:
        return timedelta(hours=self.absolute_hours)


class Passwords(_Section):
    """Passwords of the direct door."""

    minimum_length: int = Field(default=15, ge=12, le=64)
    profile: Literal["rfc9106", "owasp", "unsafe-tests"] = "rfc9106"
    """Argon2id parameters: `rfc9106` 64 MiB t=3, `owasp` 19 MiB t=2; `unsafe-tests` in development only."""
    provisional_days: int = Field(default=21, ge=1, le=30)
    reset_minutes: int = Field(default=60, ge=5, le=24 * 60)


class Mail(_Section):
    """SMTP relay for reset links and notices."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` only towards this machine, or in development."""
    username: str = ""
    password: SecretText = Secret("")
    sender: str
    timeout_seconds: float = Field(default=10, gt=0, le=60)

    @field_validator("sender")
    @classmethod
    def _one_address(cls, sender: str) -> str:
        if sender.count("@") != 1 or any(mark in sender for mark in "\r\n,; "):
            raise wrong("l'expéditeur n'est pas une adresse", 'par exemple "imagin@siec.education.fr"')
        return sender


class Events(_Section):
    """Where events go."""

    path: str = "-"
    """A file to append to, or `-` for standard error."""


class Protected(_Section):
    """A part of the host application that asks for a session."""

    prefix: str
    activity: Activity | None = None
    """Asked for on top of being signed in."""

    @field_validator("prefix")
    @classmethod
    def _path(cls, prefix: str) -> str:
        return _prefix(prefix)


class _Portal(_Section):
    enabled: bool = True


class LinkPortal(_Portal):
    """No federation: the door is a link, and the page says where to click."""

    protocol: Literal["link"]


class _FederatedPortal(_Portal):
    academie: int | None = Field(default=None, ge=1, le=99)
    """Code of the académie entitled to this portal (24, 1, 25): a `codaca` of another one is refused."""
    subject_attribute: str = "ct-remote-user"
    required_attributes: tuple[str, ...] = ()
    unsolicited: bool = False
    """Accept an answer nobody asked for here: a link inside the portal."""


class SamlPortal(_FederatedPortal):
    """SAML 2.0, through the metadata of the portal."""

    protocol: Literal["saml"]
    metadata: Path
    """Metadata file of the portal (XML)."""
    portal_entity_id: str
    """entityID expected: the metadata file may hold many."""
    entity_id: str = ""
    """Ours; by default the address of our metadata."""
    private_key: Path
    """PEM, RSA of 2048 bits or more: signs our requests."""
    certificate: Path
    clock_skew_seconds: int = Field(default=180, ge=0, le=300)
    require_signed: Literal["response", "assertion", "both"] = "response"
    """What must be signed at least; the portal that signs both is the one to prefer."""
    sign_requests: bool = True


class OidcPortal(_FederatedPortal):
    """OpenID Connect, authorization code with PKCE."""

    protocol: Literal["oidc"]
    subject_attribute: str = "sub"
    issuer: str
    """Exactly as the provider writes it, final slash included or not."""
    client_id: str
    client_secret: SecretText
    client_authentication: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"], ...] = (
        "RS256",
    )
    ca_file: Path | None = None
    """Authorities to believe (PEM), for a portal whose certificate is of a private one; by default the system's."""
    leeway_seconds: int = Field(default=30, ge=0, le=60)
    token_age_seconds: int = Field(default=600, ge=60, le=3600)
    """How long ago an ID token may have been issued."""
    other_hosts: tuple[str, ...] = ()
    """Hosts the provider's discovery document may name besides the issuer's own."""
    timeout_seconds: float = Field(default=5, gt=0, le=30)


PortalSettings = Annotated[LinkPortal | SamlPortal | OidcPortal, Field(discriminator="protocol")]


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
    landing: str = "/"
    """Page after a login when none was asked for."""
    landings: tuple[str, ...] = ("/",)
    """Prefixes of the pages a login may come back to."""
    protect: tuple[Protected, ...] = ()
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    """How many proxies in front append to X-Forwarded-For."""
    contact: str = "imagin@siec.education.fr"
    controller: str = "SIEC"
    privacy_url: str
    legal_url: str
    accessibility_url: str
    accessibility: str = "non conforme"
    policy: Path | None = None
    """Another policy table than SIEC's."""
    admission: Path | None = None
    """The host's own rules on what a proved identity may do (TOML, see `policy.admission`)."""
    keys: Keys
    state: State
    accounts: Accounts
    sessions: Sessions = Sessions()
    passwords: Passwords = Passwords()
    mail: Mail
    events: Events = Events()
    portals: dict[str, PortalSettings] = Field(default_factory=dict)

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
            values = {**values, **_read_toml(file)}
        try:
            settings = cls(**_anchored(values, folder))
        except ValidationError as error:
            problems = [
                problem_of(detail, cls, _EXPECTED) for detail in error.errors(include_url=False, include_input=False)
            ]
            # Not chained: the original carries what was typed, secrets included.
            raise SettingsError(problems, source) from None
        if problems := _across(settings):
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
        parts = urlsplit(url)
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username or not parts.hostname:
            raise wrong("l'adresse contient autre chose qu'un schéma et un hôte", '"https://imagin.siec.education.fr"')
        if info.data.get("development"):
            if parts.hostname not in _LOOPBACK:
                raise wrong(
                    "le mode développement refuse un nom d'hôte public", "development = false, ou http://localhost"
                )
        elif parts.scheme != "https":
            raise wrong("l'adresse doit être en https", '"https://..." (http seulement avec development = true)')
        if parts.scheme not in ("https", "http"):
            raise wrong("schéma inconnu", '"https://..."')
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @field_validator("mount_path")
    @classmethod
    def _mount(cls, path: str) -> str:
        if (
            not path.startswith("/")
            or path.endswith("/")
            or "//" in path
            or not path.isascii()
            or set(path) & set("?#%\\ ")
        ):
            raise wrong("le chemin de montage commence par « / » et ne finit pas par « / »", '"/connexion"')
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
        return tuple(_prefix(prefix) for prefix in prefixes)

    @field_validator("privacy_url", "legal_url", "accessibility_url")
    @classmethod
    def _link(cls, url: str) -> str:
        if not (url.startswith("https://") or (url.startswith("/") and not url.startswith("//"))):
            raise wrong(
                "ce lien n'est ni un chemin de ce site ni une adresse https", '"/donnees-personnelles" ou "https://..."'
            )
        return url

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


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        problem = Problem("(fichier)", "le fichier n'existe pas", "donner le chemin d'un fichier TOML")
    except UnicodeDecodeError:
        problem = Problem("(fichier)", "le fichier n'est pas en UTF-8", "l'enregistrer en UTF-8")
    except OSError:
        problem = Problem("(fichier)", "le fichier ne peut pas être lu", "vérifier les droits")
    except tomllib.TOMLDecodeError as error:
        # The message gives a place and a rule, not the text of the file.
        problem = Problem("(fichier)", f"TOML illisible ({error})", "corriger la ligne indiquée")
    raise SettingsError([problem], str(file)) from None


_PATH_KEYS: Final = ("metadata", "private_key", "certificate", "ca_file")


def _anchored(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Take relative paths from the folder of the file, not from wherever the server was started."""
    anchored = dict(values)
    for section in ("state", "accounts"):
        part = anchored.get(section)
        if isinstance(part, dict) and isinstance(url := part.get("url"), str) and url.startswith("sqlite:///"):
            anchored[section] = {**part, "url": "sqlite:///" + str(folder / url.removeprefix("sqlite:///"))}
    for name in ("policy", "admission"):
        if isinstance(path := anchored.get(name), str):
            anchored[name] = folder / path
    events = anchored.get("events")
    if isinstance(events, dict) and isinstance(path := events.get("path"), str) and path != "-":
        anchored["events"] = {**events, "path": str(folder / path)}
    portals = anchored.get("portals")
    if isinstance(portals, dict):
        anchored["portals"] = {
            door: {k: folder / v if k in _PATH_KEYS and isinstance(v, str) else v for k, v in portal.items()}
            if isinstance(portal, dict)
            else portal
            for door, portal in portals.items()
        }
    return anchored


def _across(settings: Settings) -> list[Problem]:
    """Check what two sections say together."""
    problems: list[Problem] = []
    if settings.passwords.profile == "unsafe-tests" and not settings.development:
        problems.append(Problem("passwords.profile", "ce profil est réservé aux tests", '"rfc9106" ou "owasp"'))
    if settings.mail.security == "none" and not settings.development and settings.mail.host not in _LOOPBACK:
        problems.append(Problem("mail.security", "le courrier partirait en clair", '"starttls" ou "tls"'))
    for door, portal in settings.portals.items():
        if isinstance(portal, OidcPortal):
            parts = urlsplit(portal.issuer)
            local = settings.development and parts.scheme == "http" and parts.hostname in _LOOPBACK
            if parts.scheme != "https" and not local:
                problems.append(Problem(f"portals.{door}.issuer", "l'émetteur doit être en https", '"https://..."'))
            if not portal.client_secret:
                problems.append(Problem(f"portals.{door}.client_secret", "secret vide", "celui donné par le portail"))
    if not any(under(settings.landing, prefix) for prefix in settings.landings):
        problems.append(Problem("landing", "cette page n'est dans aucun préfixe de landings", "l'ajouter à landings"))
    return problems


def under(path: str, prefix: str) -> bool:
    """Tell whether `path` is `prefix` or below it, by whole segments."""
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


_EXPECTED: Final = {
    "base_url": '"https://imagin.siec.education.fr"',
    "privacy_url": "l'adresse de la notice « données personnelles »",
    "legal_url": "l'adresse des mentions légales",
    "accessibility_url": "l'adresse de la déclaration d'accessibilité",
    "keys": f"une section [keys] avec signing et provisional ; une clé : {MAKE_A_KEY}",
    "keys.signing": f'["..."] ; une clé : {MAKE_A_KEY}',
    "keys.provisional": f'["..."] ; une clé : {MAKE_A_KEY}',
    "state": 'une section [state] avec url = "sqlite:///etat.db"',
    "state.url": '"sqlite:///etat.db"',
    "accounts": 'une section [accounts] avec url = "sqlite:///comptes.db"',
    "accounts.url": '"sqlite:///comptes.db"',
    "mail": "une section [mail] avec host et sender",
    "mail.host": "le nom du relais SMTP",
    "mail.sender": '"imagin@siec.education.fr"',
}
