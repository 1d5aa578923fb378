"""The people of the simulated portals. Nobody here exists: names, schools and passwords are made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Person:
    """Somebody who has an account at a portal.

    Attributes:
        login: academic identifier.
        password: in the clear, since all of this is a simulation.
        codaca: code of the académie, as that portal writes it.
        schools: codes of the schools of posting, check letter included; the first is the main one.
        school_type: and `nature`: as in `FrEduRne`.
        title: function.
    """

    login: str
    password: str
    family_name: str
    given_name: str
    mail: str
    codaca: str
    schools: tuple[str, ...]
    title: str = "ENS"
    school_type: str = "LYC"
    nature: str = "300"

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}"

    @property
    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """What the portal hands over, under ARENA's names; what must not be kept included, as real portals do."""
        return MappingProxyType(
            {
                "ct-remote-user": (self.login,),
                "ctln": (self.family_name,),
                "ctfn": (self.given_name,),
                "cn": (self.name,),
                "ctemail": (self.mail,),
                "codaca": (self.codaca,),
                "rne": self.schools[:1],
                "title": (self.title,),
                "FrEduRne": tuple(
                    f"{uai}$UAJ$PU${self.title}${uai}$T3${self.school_type}${self.nature}" for uai in self.schools
                ),
                "employeeNumber": ("01E9501234ABC",),
                "discim": ("L0202",),
                "grade": ("X",),
            }
        )


PEOPLE: Final[Mapping[str, tuple[Person, ...]]] = MappingProxyType(
    {
        "arena-creteil": (
            Person("amoreau", "craie-tableau-94", "MOREAU", "Awa", "awa.moreau@ac-creteil.fr", "024", ("0949901B",)),
            Person(
                "slefevre2",
                "craie-tableau-93",
                "LEFÈVRE-NGUYỄN",
                "Solène",
                "solene.lefevre@ac-creteil.fr",
                "024",
                ("0939902H", "0779903W"),
            ),
        ),
        "arena-paris": (
            Person(
                "jdupont1", "craie-tableau-75", "DUPONT", "Jeanne", "jeanne.dupont1@ac-paris.fr", "1", ("0759901E",)
            ),
            Person(
                "kbenali",
                "craie-tableau-76",
                "BEN ALI",
                "Karim",
                "karim.ben-ali@ac-paris.fr",
                "1",
                ("0759902F",),
                title="ADM",
                school_type="CLG",
                nature="340",
            ),
        ),
        "arena-versailles": (
            Person(
                "pdurand", "craie-tableau-78", "DURAND", "Paul", "paul.durand@ac-versailles.fr", "25", ("0789901N",)
            ),
            Person(
                "mcaillot",
                "craie-tableau-92",
                "CAILLOT",
                "Maëlle",
                "maelle.caillot@ac-versailles.fr",
                "25",
                ("0929902N", "0919903V"),
                school_type="LP",
                nature="320",
            ),
        ),
    }
)
"""By door; each portal knows its own people only."""
