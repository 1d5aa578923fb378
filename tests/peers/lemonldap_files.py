"""Everything a LemonLDAP::NG portal reads: its configuration, its people, its keys.

Of its hundreds of settings only those stand here that make the portal ours, or
that differ from its defaults on purpose, with the reason.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.peers.authority import key_pair
from tests.peers.people import Person

BASIC: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
SEPARATOR: Final = "; "
"""How the portal joins several values of one attribute."""


@dataclass(frozen=True)
class Client:
    """An OpenID client, as the portal's administrator registers it."""

    id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    options: Mapping[str, object] = field(default_factory=dict)
    """More of the portal's own options, without their prefix `oidcRPMetaDataOptions`."""


@dataclass(frozen=True)
class ServiceProvider:
    """A SAML service provider, as the portal's administrator registers it."""

    metadata: str = field(repr=False)
    options: Mapping[str, object] = field(default_factory=dict)
    """More of the portal's own options, without their prefix `samlSPMetaDataOptions`."""


@dataclass(frozen=True)
class Keys:
    """The portal's own keys, each with its certificate, in PEM."""

    signing: tuple[str, str] = field(repr=False)
    encryption: tuple[str, str] = field(repr=False)
    tokens: tuple[str, str] = field(repr=False)
    token_key: str = "tests-1"
    """Name of the key that signs tokens."""

    @classmethod
    def new(cls, host: str) -> Keys:
        signing, encryption, tokens = (key_pair(f"{host} {use}") for use in ("signing", "encryption", "tokens"))
        return cls(signing, encryption, tokens)


def column(attribute: str) -> str:
    """Return the name of an attribute inside the portal, where letters, digits and underscores are safe."""
    return "a_" + attribute.replace("-", "_")


def write_people(file: Path, people: Sequence[Person]) -> list[str]:
    """Write the portal's own account table; return the names of all attributes."""
    attributes = sorted({name for person in people for name in person.attributes})
    columns = ["login", "password", *map(column, attributes)]
    with sqlite3.connect(file) as database:
        database.execute(f"CREATE TABLE people ({', '.join(f'{name} TEXT' for name in columns)})")
        for person in people:
            values = [person.attributes.get(name) for name in attributes]
            joined = [SEPARATOR.join(value) if isinstance(value, list) else value for value in values]
            row = [person.login, person.password, *joined]
            database.execute(f"INSERT INTO people VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    database.close()
    return attributes


def configuration(
    folder: Path,
    *,
    number: int,
    url: str,
    host: str,
    keys: Keys,
    attributes: Sequence[str],
    providers: Sequence[ServiceProvider],
    clients: Sequence[Client],
    believed: Path,
) -> dict[str, Any]:
    """Return the portal's configuration, in its own vocabulary; `believed` is the authority of those it calls."""
    return {
        "cfgNum": number,
        "cfgAuthor": "tests",
        "cfgDate": str(number),
        "cfgVersion": "2.21.3",
        "portal": url,
        "domain": host.partition(".")[2],
        "securedCookie": 1,
        "key": "only-for-tests-0123456789abcdef",
        "locationRules": {host: {"default": "accept"}},
        "exportedHeaders": {},
        "applicationList": {},
        "notification": 0,
        "lwpSslOpts": {"SSL_ca_file": str(believed)},
        # Each of these asks for an image library.
        **{f"captcha_{page}_enabled": 0 for page in ("login", "mail", "register")},
        "macros": {"_whatToTrace": "lc($_user)"},
        **_people(folder, attributes),
        **_sessions(folder),
        **_saml(url, keys, attributes, providers),
        **_openid(url, keys, attributes, clients),
    }


def _people(folder: Path, attributes: Sequence[str]) -> dict[str, Any]:
    chain = f"dbi:SQLite:dbname={folder / 'people.sqlite'};sqlite_unicode=1"
    return {
        "authentication": "DBI",
        "userDB": "Same",
        "passwordDB": "Null",
        "registerDB": "Null",
        "portalDisplayRegister": 0,
        "portalDisplayResetPassword": 0,
        "dbiAuthChain": chain,
        "dbiAuthUser": "",
        "dbiAuthPassword": "",
        "dbiUserChain": chain,
        "dbiUserUser": "",
        "dbiUserPassword": "",
        "dbiAuthTable": "people",
        "dbiUserTable": "people",
        "dbiAuthLoginCol": "login",
        "dbiAuthPasswordCol": "password",
        "dbiAuthPasswordHash": "",
        "userPivot": "login",
        "dbiAuthnLevel": 2,
        "dbiExportedVars": {"uid": "login", **{column(name): column(name) for name in attributes}},
        "exportedVars": {},
        "multiValuesSeparator": SEPARATOR,
    }


def _sessions(folder: Path) -> dict[str, Any]:
    def store(name: str) -> dict[str, str]:
        directory, lock = folder / name, folder / name / "lock"
        lock.mkdir(parents=True, exist_ok=True)
        return {
            "Directory": str(directory),
            "LockDirectory": str(lock),
            "generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
        }

    return {
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": store("sessions"),
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": store("psessions"),
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": {
            "namespace": "sessions",
            "default_expires_in": 600,
            "directory_umask": "007",
            "cache_root": str(folder / "cache"),
            "cache_depth": 3,
        },
    }


def _saml(url: str, keys: Keys, attributes: Sequence[str], providers: Sequence[ServiceProvider]) -> dict[str, Any]:
    names = [f"sp{number}" for number in range(1, len(providers) + 1)]
    # In the portal's words: mandatory; name; format; friendly name.
    released = {column(name): f"0;{name};{BASIC};{name}" for name in attributes}
    usual = {
        "SignSSOMessage": 1,
        "SignSLOMessage": 1,
        "CheckSSOMessageSignature": 1,
        "CheckSLOMessageSignature": 1,
        "SignatureMethod": "RSA_SHA256",
        "EncryptionMode": "none",
        "EnableIDPInitiatedURL": 1,
        "ForceUTF8": 1,
    }
    return {
        "issuerDBSAMLActivation": 1,
        "samlServicePrivateKeySig": keys.signing[0],
        "samlServicePublicKeySig": keys.signing[1],
        "samlServicePrivateKeyEnc": keys.encryption[0],
        "samlServicePublicKeyEnc": keys.encryption[1],
        "samlServiceUseCertificateInResponse": 1,
        "samlServiceSignatureMethod": "RSA_SHA256",
        "samlOrganizationName": "Académie",
        "samlOrganizationDisplayName": "Académie",
        "samlOrganizationURL": url,
        "samlSPMetaDataXML": {
            name: {"samlSPMetaDataXML": each.metadata} for name, each in zip(names, providers, strict=True)
        },
        "samlSPMetaDataOptions": {
            name: {f"samlSPMetaDataOptions{key}": value for key, value in {**usual, **each.options}.items()}
            for name, each in zip(names, providers, strict=True)
        },
        "samlSPMetaDataExportedAttributes": dict.fromkeys(names, released),
    }


def _openid(url: str, keys: Keys, attributes: Sequence[str], clients: Sequence[Client]) -> dict[str, Any]:
    usual = {
        "IDTokenSignAlg": "RS256",
        "UserIDAttr": "uid",
        "BypassConsent": 1,
        "RequirePKCE": 1,
        "LogoutBypassConfirm": 1,
    }
    options: dict[str, dict[str, object]] = {}
    for client in clients:
        told = {
            "ClientID": client.id,
            "ClientSecret": client.secret,
            "RedirectUris": " ".join(client.redirect_uris),
            **usual,
            **client.options,
        }
        options[client.id] = {f"oidcRPMetaDataOptions{key}": value for key, value in told.items()}
    standard = {"family_name", "given_name", "email"}
    return {
        "issuerDBOpenIDConnectActivation": 1,
        "oidcServiceMetaDataIssuer": url,
        "oidcServicePrivateKeySig": keys.tokens[0],
        "oidcServicePublicKeySig": keys.tokens[1],
        "oidcServiceKeyIdSig": keys.token_key,
        "oidcServiceAllowImplicitFlow": 0,
        "oidcServiceAllowHybridFlow": 0,
        "oidcRPMetaDataOptions": options,
        "oidcRPMetaDataExportedVars": {name: {each: column(each) for each in attributes} for name in options},
        # The scope under which what no standard scope holds is released.
        "oidcRPMetaDataOptionsExtraClaims": {
            name: {"arena": " ".join(each for each in attributes if each not in standard)} for name in options
        },
    }


def write(folder: Path, share: Path, settings: Mapping[str, Any]) -> None:
    """Write the files the portal starts from; `share` is its own folder of pages."""
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / f"lmConf-{settings['cfgNum']}.json").write_text(
        json.dumps(settings, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    cache = {"namespace": "configuration", "default_expires_in": "600", "directory_umask": "007", "cache_depth": "3"}
    cache["cache_root"] = str(folder / "cache")
    options = ", ".join(f"'{key}' => '{value}'" for key, value in cache.items())
    (folder / "lemonldap-ng.ini").write_text(
        f"""[all]
logger = Lemonldap::NG::Common::Logger::Std
userLogger = Lemonldap::NG::Common::Logger::Std
logLevel = notice
[configuration]
type = File
dirName = {folder / "conf"}
localStorage = Cache::FileCache
localStorageOptions = {{ {options} }}
[portal]
staticPrefix = /static
templateDir = {share / "portal" / "templates"}
languages = fr, en
""",
        encoding="utf-8",
    )
    (folder / "portal.psgi").write_text(
        f"""use strict;
use warnings;
use Plack::App::File;
use Plack::Builder;
use Lemonldap::NG::Portal::Main;
use LWP::Protocol::https;

# The names of these tests are in no directory: all that the portal calls is on this machine.
# What is verified is the name, as ever.
{{
    no warnings 'redefine';
    my $plain = \\&LWP::Protocol::https::_extra_sock_opts;
    *LWP::Protocol::https::_extra_sock_opts = sub {{
        my ($self, $host, @more) = @_;
        return ($plain->(@_), PeerAddr => '127.0.0.1', SSL_verifycn_name => $host, SSL_hostname => $host);
    }};
}}

my $portal = Lemonldap::NG::Portal::Main->run({{}});

# The portal keeps bytes in strings that Perl may hold as characters. Apache and FastCGI take
# the bytes out of them; the server that runs here would count characters instead.
my $bytes = sub {{
    my $app = shift;
    return sub {{
        my $answer = $app->(@_);
        for my $part (grep {{ ref eq 'ARRAY' }} @$answer[1, 2]) {{ utf8::downgrade($_, 1) for @$part }}
        return $answer;
    }};
}};
builder {{
    enable $bytes;
    mount '/static' => Plack::App::File->new(root => '{share / "portal" / "htdocs" / "static"}')->to_app;
    mount '/' => $portal;
}};
""",
        encoding="utf-8",
    )
