"""Keys of the house in a folder: one file a purpose, written by `imagin-gateway keys`, read at every start.

A key is `next` (it verifies, and signs nothing yet), `current` (it signs), or `former`
(it only verifies). Publishing a key before it signs lets processes be restarted one
after the other: none meets a signature it cannot verify.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from imagin_gateway.keys import Secret, key_version

SCHEMA: Final = 1

PURPOSES: Final = ("signing", "provisional", "pepper", "factors", "events")

MAX_BYTES: Final = 256 * 1024

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{32,256}")


class KeyState(StrEnum):
    """Where a key stands in its life."""

    NEXT = "next"
    CURRENT = "current"
    FORMER = "former"


class KeyFileWrong(Exception):
    """A key file cannot be used. Its message is French, and holds nothing of the file.

    Attributes:
        remedy: what to do, in French.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class HeldKey:
    """One key of a file.

    Attributes:
        secret: the key.
        state: whether it signs.
        made_at: when it was made.
        signs_from: when it began to sign; None while it does not.
        signed_until: when it was told to sign no more.
    """

    secret: Secret = field(repr=False)
    state: KeyState
    made_at: datetime
    signs_from: datetime | None = None
    signed_until: datetime | None = None

    @property
    def version(self) -> str:
        """Its name in what it signed."""
        return key_version(self.secret)


def path_of(folder: Path, purpose: str) -> Path:
    """Return the file of a purpose."""
    return folder / f"{purpose}.json"


def in_order(keys: tuple[HeldKey, ...]) -> tuple[HeldKey, ...]:
    """Return keys as a `Keyring` takes them: the last one signs, all of them verify."""
    order = [KeyState.FORMER, KeyState.NEXT, KeyState.CURRENT]
    return tuple(sorted(keys, key=lambda each: (order.index(each.state), each.made_at)))


def read(folder: Path, purpose: str) -> tuple[HeldKey, ...] | None:
    """Return the keys of a purpose, in the order of a `Keyring`; None when there is no file.

    Raises:
        KeyFileWrong: the file is another's, damaged, or cannot be read.
    """
    path = path_of(folder, purpose)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        # Nothing says that it is damaged: an older copy in its place would lose the keys made since.
        raise KeyFileWrong(
            "le système ne laisse pas lire le fichier de clés",
            f"vérifier le disque et les droits : {path} est au compte du service, sous lequel se lancent les commandes",
        ) from None
    restore = f"restaurer {path}"
    try:
        told = json.loads(raw[: MAX_BYTES + 1])
        found = in_order(tuple(_key(each) for each in told["keys"]))
    except (ValueError, KeyError, TypeError):
        raise KeyFileWrong("le fichier de clés est abîmé", restore) from None
    if told.get("schema") != SCHEMA:
        raise KeyFileWrong("le fichier de clés vient d’une autre version de ce programme", restore)
    if told.get("purpose") != purpose:
        raise KeyFileWrong("ce fichier de clés est celui d’un autre usage", restore)
    if sum(each.state is KeyState.CURRENT for each in found) != 1:
        raise KeyFileWrong("le fichier de clés n’a pas une clé en service, et une seule", restore)
    if len({each.version for each in found}) != len(found):
        # A key in service that is a former one, too, would go with it.
        raise KeyFileWrong("la même clé figure deux fois dans le fichier de clés", restore)
    return found


def _key(told: Mapping[str, Any]) -> HeldKey:
    if not _KEY.fullmatch(told["key"]):
        raise ValueError("not a key")
    return HeldKey(
        Secret(told["key"]),
        KeyState(told["state"]),
        _moment(told["made_at"]),
        _moment(told["signs_from"]) if told.get("signs_from") else None,
        _moment(told["signed_until"]) if told.get("signed_until") else None,
    )


def _moment(told: str) -> datetime:
    moment = datetime.fromisoformat(told)
    if moment.tzinfo is None:
        raise ValueError("a naive moment")
    return moment


def written(purpose: str, keys: tuple[HeldKey, ...]) -> bytes:
    """Return the content of a key file."""
    told = {
        "schema": SCHEMA,
        "purpose": purpose,
        "note": "imagin-gateway keys ; ne pas modifier à la main, ne pas copier ailleurs",
        "keys": [
            {
                "version": each.version,
                "state": each.state.value,
                "made_at": each.made_at.isoformat(),
                "signs_from": each.signs_from.isoformat() if each.signs_from else None,
                "signed_until": each.signed_until.isoformat() if each.signed_until else None,
                "key": each.secret.reveal(),
            }
            for each in in_order(keys)
        ],
    }
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()
