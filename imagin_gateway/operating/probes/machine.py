"""Of this machine: files and who may read them, file systems, room left on disks."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from imagin_gateway.events.sinks import DAY
from imagin_gateway.operating.findings import Finding, fatal, good, warning
from imagin_gateway.operating.ground import LEAST_FREE_SHARE, Ground
from imagin_gateway.settings import OidcPortal, SamlPortal
from imagin_gateway.settings.places import secret_files, written_secrets

NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre"})
"""File systems on which SQLite's locks do not hold between machines, and WAL not at all (sqlite.org/wal.html)."""

_LONGEST_LINE: Final = 64 * 1024

_CHMOD: Final = "chmod 600 {path} (ou 640, si le groupe est celui du service)"

_MOUNT: Final = "monter le secret pour le compte du service seul (mode: 0400, ou defaultMode de Kubernetes)"


def secrets_of(ground: Ground) -> Iterator[tuple[str, str, Path]]:
    """Yield key of the settings, what it is, and path, of each file that holds a secret."""
    if written_secrets(ground.file):
        yield "", "fichier de réglages", ground.file
    for key, path in secret_files(ground.file):
        yield key, "fichier d’un secret", path
    settings = ground.settings
    portals: dict[str, object] = {f"portals.{door}": portal for door, portal in settings.portals.items()}
    if settings.proconnect is not None and settings.proconnect.enabled:
        portals["proconnect"] = settings.proconnect
    for key, portal in portals.items():
        if isinstance(portal, SamlPortal | OidcPortal):
            if portal.private_key is not None:
                yield f"{key}.private_key", "clé privée", portal.private_key
            for path in portal.other_private_keys:
                yield f"{key}.other_private_keys", "clé privée", path
    for section in ("accounts", "state"):
        url = getattr(settings, section).url
        if url.startswith("sqlite:///"):
            yield f"{section}.url", "base SQLite", Path(url.removeprefix("sqlite:///"))


def permissions(ground: Ground) -> Iterator[Finding]:
    """Nobody but the service reads its secrets, and nobody else changes what it believes."""
    worst = 0
    for key, what, path in secrets_of(ground):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue  # told by who needs it
        except OSError:
            yield fatal(
                "files.unreadable", what, f"{path} ne peut pas être lu", "vérifier le chemin et les droits", key
            )
            continue
        if mode & stat.S_IROTH:
            worst += 1
            text = f"{path} est lisible par tout le monde (mode {mode:o})"
            if is_mounted_secret(path, ground.mounts):
                yield warning("files.secret_readable", what, text, _MOUNT, key)
            else:
                yield fatal("files.secret_readable", what, text, _CHMOD.format(path=path), key)
        elif mode & (stat.S_IWOTH | stat.S_IWGRP):
            worst += 1
            text = f"{path} peut être changé par d’autres (mode {mode:o})"
            yield fatal("files.secret_writable", what, text, _CHMOD.format(path=path), key)
    for key, what, path in believed_of(ground):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & stat.S_IWOTH:
            worst += 1
            text = f"{path} peut être changé par tout le monde (mode {mode:o})"
            yield fatal("files.believed_writable", what, text, f"chmod o-w {path}", key)
    told = Path(ground.settings.events.path)
    if ground.settings.events.path != "-" and told.is_file() and stat.S_IMODE(told.stat().st_mode) & stat.S_IROTH:
        text = f"{told} est lisible par tout le monde : il tient des adresses de personnes"
        yield warning("files.events_readable", "événements", text, _CHMOD.format(path=told), "events.path")
    if not worst:
        yield good("files.permissions", "droits des fichiers", "les secrets ne sont lisibles que du service")


def believed_of(ground: Ground) -> Iterator[tuple[str, str, Path]]:
    """Yield what is no secret, but decides who enters or whom we believe."""
    settings = ground.settings
    named: list[tuple[str, str, Path | None]] = [
        ("policy", "table des règles", settings.policy),
        ("admission", "règles d’admission", settings.admission),
        ("mail.ca_file", "autorités du courrier", settings.mail.ca_file),
        ("appearance.templates", "gabarits", settings.appearance.templates),
        ("appearance.texts", "textes", settings.appearance.texts),
    ]
    for door, portal in settings.portals.items():
        if isinstance(portal, SamlPortal):
            named += [
                (f"portals.{door}.metadata", "métadonnées", portal.metadata),
                (f"portals.{door}.metadata_certificate", "certificat des métadonnées", portal.metadata_certificate),
            ]
        elif isinstance(portal, OidcPortal):
            named.append((f"portals.{door}.ca_file", "autorités du portail", portal.ca_file))
    for key, what, path in named:
        if path is not None:
            yield key, what, path


def disk(ground: Ground, key: str, path: Path) -> Iterator[Finding]:
    """The folder of a file that grows: there, writable, local, and with room left.

    Args:
        ground: what is looked at.
        key: of the settings.
        path: the file, which may not be there yet.
    """
    folder = path.parent
    subject = f"dossier {folder}"
    if not folder.is_dir():
        yield fatal("disk.folder", subject, "ce dossier n’existe pas", f"mkdir -p {folder}", key)
        return
    left = os.statvfs(folder)
    read_only = bool(left.f_flag & os.ST_RDONLY)
    if read_only:
        # Whoever the folder belongs to: access(2) refuses root, too.
        text = "le disque est en lecture seule : rien n’y est plus écrit"
        remedy = f"lire dmesg (un disque qui faillit est mis ainsi à l’abri) ; sous systemd, ReadWritePaths={folder}"
        yield fatal("disk.read_only", subject, text, remedy, key)
    elif not os.access(folder, os.W_OK | os.X_OK):
        text = "le compte système qui lance cette commande ne peut pas y écrire"
        yield fatal("disk.folder_read_only", subject, text, f"donner {folder} au compte du service", key)
    if path.is_dir():
        # SQLite, too, is told here before anything opens it.
        yield fatal("disk.file_is_folder", subject, f"{path} est un dossier", "le chemin d’un fichier", key)
    elif not read_only and path.exists() and not os.access(path, os.R_OK | os.W_OK):
        text = f"{path.name} ne peut être ni lu ni écrit par ce compte système"
        yield fatal("disk.file_read_only", subject, text, f"donner {path} au compte du service", key)
    kind = file_system(folder, ground.mounts)
    if kind in NETWORK or kind.startswith("fuse.ssh"):
        text = f"c’est un système de fichiers en réseau ({kind}) : les verrous de SQLite n’y tiennent pas"
        yield fatal(
            "disk.network", subject, text, "un disque local ; ou PostgreSQL et Redis, à plusieurs machines", key
        )
    free, total = left.f_bavail * left.f_frsize, left.f_blocks * left.f_frsize
    if free < ground.full:
        text = "ce disque est plein : connexions et mots de passe sont refusés"
        yield fatal("disk.full", subject, text, "faire de la place, ou changer de disque", key)
    elif free < ground.least_free or free < total * LEAST_FREE_SHARE:
        text = f"il reste {free // 1024 // 1024} Mo sur ce disque"
        yield warning("disk.nearly_full", subject, text, "faire de la place, ou changer de disque", key)
    else:
        yield good("disk.room", subject, f"{free // 1024 // 1024} Mo libres", key)


def file_system(folder: Path, mounts: Path) -> str:
    """Return the kind of file system that holds a folder, "" when the system does not say."""
    return _mount_of(folder, mounts)[1]


def is_mounted_secret(path: Path, mounts: Path) -> bool:
    """Tell whether a secret is where Docker, Kubernetes and Podman put them, for every account of one container.

    In memory, and written by nobody there or at the place of secrets: /tmp may be in memory too, and is everybody's.
    """
    point, kind, options = _mount_of(path, mounts)
    return kind == "tmpfs" and ("ro" in options.split(",") or f"{point}/".startswith("/run/secrets/"))


def _mount_of(path: Path, mounts: Path) -> tuple[str, str, str]:
    """Return where the file system that holds a path is mounted, its kind and its options; Docker mounts files, too."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", "", ""
    real = str(path.resolve())
    best = ("", "", "")
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 4:
            continue
        point = parts[1].replace("\\040", " ")
        if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best[0]):
            best = (point, parts[2], parts[3])
    return best


def events(ground: Ground) -> Iterator[Finding]:
    """The events file can be written, and nothing stays in it longer than it may be kept."""
    file = ground.settings.events.file
    if file is None:
        return
    yield from disk(ground, "events.path", Path(ground.settings.events.path))
    oldest = _oldest(file)
    if oldest is not None and ground.now - oldest > ground.settings.events.retention:
        text = f"{file} tient des événements plus vieux que leur conservation, depuis le {oldest:%d/%m/%Y}"
        remedy = f'path = "{file.with_name(file.stem + "-" + DAY + file.suffix)}" (un fichier par jour), ou logrotate'
        yield warning("files.events_too_old", "événements", text, remedy, "events.path")


def _oldest(file: Path) -> datetime | None:
    """Return when the first event of a file was written: what is appended to, and never put aside, is never purged."""
    try:
        with file.open("rb") as lines:
            return datetime.fromisoformat(str(json.loads(lines.readline(_LONGEST_LINE))["time"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
