"""The keys of the house: held where, and how far a rotation has come."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from imagin_gateway.operating.findings import Finding, fatal, good, warning
from imagin_gateway.operating.ground import Ground
from imagin_gateway.settings.key_files import PURPOSES, KeyFileWrong, KeyState, path_of, read


def look(ground: Ground) -> Iterator[Finding]:
    """Say which keys are held, by their versions."""
    held = ground.settings.keys
    for purpose in PURPOSES:
        keys = getattr(held, purpose)
        if keys:
            yield good("keys.held", "clés", f"{purpose} : {len(keys)}", f"keys.{purpose}")
    if held.folder is not None:
        yield from _folder(ground, held.folder)


OLD: Final = timedelta(days=3 * 365)
"""A key that signs for longer has had time to be copied with every backup of the machine."""

WAITING: Final = timedelta(days=7)


def _folder(ground: Ground, folder: Path) -> Iterator[Finding]:
    for purpose in PURPOSES:
        try:
            found = read(folder, purpose) or ()
        except KeyFileWrong as error:
            yield fatal("keys.file", "clés", f"{purpose} : {error}", error.remedy, f"keys.{purpose}")
            continue
        if not found:
            continue
        path = path_of(folder, purpose)
        if stat.S_IMODE(path.stat().st_mode) & 0o037:
            text = f"{path} est ouvert à d’autres que le service"
            yield fatal("files.secret_readable", "clés", text, f"chmod 600 {path}", f"keys.{purpose}")
        if {each.secret for each in found} != set(getattr(ground.settings.keys, purpose)):
            text = f"{purpose} est aussi écrite dans les réglages, qui l’emportent sur le dossier"
            yield warning("keys.two_places", "clés", text, f"enlever keys.{purpose} des réglages", f"keys.{purpose}")
        for each in found:
            if each.state is KeyState.CURRENT and ground.now - (each.signs_from or each.made_at) > OLD:
                text = f"{purpose} {each.version} est en service depuis le {each.signs_from or each.made_at:%d/%m/%Y}"
                yield warning("keys.old", "clés", text, f"imagin-gateway keys rotate {purpose}", f"keys.{purpose}")
            if each.state is KeyState.NEXT and ground.now - each.made_at > WAITING:
                text = f"{purpose} {each.version} attend depuis le {each.made_at:%d/%m/%Y} : remplacement inachevé"
                yield warning("keys.waiting", "clés", text, f"imagin-gateway keys rotate {purpose}", f"keys.{purpose}")
