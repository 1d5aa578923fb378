"""Where the portal's metadata comes from, and how it is renewed while the gateway runs.

A new copy is read to the end and found good before anything changes; then it takes
the place of the old one at once. What is wrong with it is told, and the last good
copy stays, on disk too, until its own end. Nothing here happens during a request.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from lxml import etree

from imagin_gateway import settings
from imagin_gateway.errors import AnswerRefused, Problem, SettingsError
from imagin_gateway.providers.saml import documents, partner, shape, signature
from imagin_gateway.providers.saml.configuration import Configuration
from imagin_gateway.providers.saml.partner import MetadataRefused, Partner
from imagin_gateway.providers.saml.signature import VerificationKey
from imagin_gateway.providers.saml.vocabulary import md

Fetch = Callable[[str, int], bytes]
"""Read an address, at most so many bytes. Raises `OSError` when it cannot be had."""

Report = Callable[[bool, str], None]
"""Told after each attempt: whether the metadata was renewed, and what was wrong, in French."""

EXPECTED: Final = "les métadonnées SAML du portail, telles qu’il les publie"

PRESSING: Final = 60
"""Seconds between two attempts while a door is closed for want of metadata."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pinned:
    """Who must have signed the metadata, and for how long it may claim to be good."""

    key: VerificationKey
    longest: timedelta


def proved(raw: bytes, pinned: Pinned, now: datetime) -> etree._Element:
    """Verify signed metadata (Metadata §3) and return the tree of the bytes that were signed (row SAM-29).

    Raises:
        MetadataRefused: not signed by that key, without an end, over, or good for too long.
    """
    try:
        root = documents.parse(raw, documents.METADATA)
        if root.tag not in (md("EntityDescriptor"), md("EntitiesDescriptor")):
            raise MetadataRefused(("ce ne sont pas des métadonnées SAML", EXPECTED))
        seal = root.find(shape.SIGNATURE)
        if seal is None:
            raise MetadataRefused(("les métadonnées ne sont pas signées", "les demander signées au portail"))
        shape.check_signature(seal)
        signed = documents.parse(signature.signed_bytes(seal, [pinned.key]), documents.METADATA)
    except AnswerRefused as refused:
        raise MetadataRefused(
            (f"ce n’est pas un document signé par la clé attendue ({refused.code})", "metadata_certificate")
        ) from None
    _check_end(signed, pinned, now)
    return signed


EXPIRED: Final = ("les métadonnées ont expiré", "une copie plus récente")
"""What is wrong, and what to do."""


def _check_end(root: etree._Element, pinned: Pinned, now: datetime) -> None:
    """Metadata §2.3.1, §2.3.2: `validUntil` of the document itself; without it an old copy could be served for ever."""
    ends = partner.valid_until([root])
    if ends is None:
        raise MetadataRefused(("les métadonnées ne disent pas jusqu’à quand elles valent", "validUntil à la racine"))
    if ends <= now:
        raise MetadataRefused(EXPIRED)
    if ends > now + pinned.longest:
        raise MetadataRefused(("les métadonnées prétendent valoir trop longtemps", "metadata_max_days"))


class Source:
    """The metadata of one portal, as it is now. Safe to share between threads.

    Args:
        config: where it comes from and who signs it.
        fetch: reads an address; nothing is fetched without it.
    """

    def __init__(self, config: Configuration, fetch: Fetch) -> None:
        self._config = config
        self._fetch = fetch
        self._current: Partner | None = None
        self._read = ""
        self._asked_at: datetime | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._lock = threading.Lock()

    @property
    def current(self) -> Partner | None:
        """The portal as its last good metadata tells it; None while there is none."""
        return self._current

    @property
    def asked_at(self) -> datetime | None:
        """When the metadata was last asked for, by this process."""
        return self._asked_at

    def open(self, now: datetime) -> None:
        """Have the metadata, from the file, or from the copy on disk, or else from the address.

        An address that does not answer closes this door only, and is asked again in the background.

        Raises:
            SettingsError: the file cannot be used.
        """
        section = self._config.section
        if section.metadata is not None:
            problems = self.renew(now)
            if problems:
                raise SettingsError(problems)
            return
        copy = section.metadata_copy
        if copy is not None and copy.is_file():
            with contextlib.suppress(MetadataRefused, OSError):
                self._take(_bounded(copy), now)
                return
        for problem in self.renew(now):
            _log.warning("%s", problem)

    def renew(self, now: datetime) -> list[Problem]:
        """Read the metadata afresh; return what is wrong with it, in which case nothing changes."""
        section = self._config.section
        self._asked_at = now
        key = f"portals.{self._config.door}.metadata{'_url' if section.metadata_url else ''}"
        try:
            raw = (
                _bounded(section.metadata)
                if section.metadata is not None
                else self._fetch(section.metadata_url, documents.METADATA.size)
            )
        except FileNotFoundError:
            return [Problem(key, "le fichier n’existe pas", "le fichier XML des métadonnées du portail")]
        except OSError:
            return [Problem(key, "les métadonnées ne peuvent pas être lues", "vérifier l’adresse, ou les droits")]
        if section.metadata is not None and hashlib.sha256(raw).hexdigest() == self._read:
            return []
        try:
            self._take(raw, now)
        except MetadataRefused as refused:
            return refused.at(key)
        if section.metadata_copy is not None:
            _keep(section.metadata_copy, raw)
        return []

    def _take(self, raw: bytes, now: datetime) -> None:
        config = self._config
        self._current = entity(
            raw,
            config.section.portal_entity_id,
            key=config.metadata_key,
            longest=timedelta(days=config.section.metadata_max_days),
            development=config.development,
            now=now,
        )
        self._read = hashlib.sha256(raw).hexdigest()

    def start(self, now: Callable[[], datetime], report: Report) -> None:
        """Renew from time to time, in a thread of this very process. Once is enough; after a fork, once more."""
        with self._lock:
            if self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stop, now, report), name=f"metadata-{self._config.door}", daemon=True
            )
            self._thread.start()

    def _run(self, stop: threading.Event, now: Callable[[], datetime], report: Report) -> None:
        period = self._config.section.metadata_refresh_minutes * 60
        # A copy of before, or a process that served nothing for long: the address is asked at once.
        age = (now() - self._asked_at).total_seconds() if self._asked_at is not None else period
        wait = max(0.0, period - age)
        while not stop.wait(min(wait, PRESSING) if self._is_closed(now()) else wait):
            wait = period
            before = self._current
            try:
                problems = self.renew(now())
            except Exception as error:
                # The thread must outlive whatever it reads.
                _log.exception("metadata cannot be renewed")
                problems = [Problem("metadata", type(error).__name__)]
            if problems or self._current is not before:
                report(not problems, " ; ".join(f"{each.message}" for each in problems))

    def _is_closed(self, now: datetime) -> bool:
        """Tell whether this door waits for metadata."""
        current = self._current
        return current is None or (current.valid_until is not None and now >= current.valid_until)

    def close(self) -> None:
        """Stop renewing."""
        self._stop.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(timeout=5)


def entity(
    raw: bytes,
    entity_id: str,
    *,
    key: VerificationKey | None,
    longest: timedelta,
    development: bool,
    now: datetime,
) -> Partner:
    """Read one portal out of a metadata document, which `key` must have signed if there is one.

    Raises:
        MetadataRefused: listing everything wrong.
    """
    if key is None:
        return partner.read(raw, entity_id, development=development)
    return partner.of(proved(raw, Pinned(key, longest), now), entity_id, development=development)


def file_problems(door: str, section: settings.SamlPortal, *, development: bool) -> list[Problem]:
    """Return what is wrong with a metadata file, its signature apart: to be told beside the other problems."""
    if section.metadata is None:
        return []
    key = f"portals.{door}.metadata"
    try:
        partner.read(_bounded(section.metadata), section.portal_entity_id, development=development)
    except MetadataRefused as refused:
        return refused.at(key)
    except FileNotFoundError:
        return [Problem(key, "le fichier n’existe pas", "le fichier XML des métadonnées du portail")]
    except OSError:
        return [Problem(key, "le fichier ne peut pas être lu", "vérifier les droits")]
    return []


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(documents.METADATA.size + 1)
    if len(raw) > documents.METADATA.size:
        raise OSError("the file is too large")
    return raw


def _keep(path: Path, raw: bytes) -> None:
    """Replace the copy on disk at once: whoever reads it has the old one or the new one, whole."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _log.warning("the copy of the metadata cannot be written: %s", type(error).__name__)
