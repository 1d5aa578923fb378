"""The words in which a person's situation is told: one enumeration per dimension.

Every dimension has `UNKNOWN`, first: an unknown fact is a fact like another, so a
table must answer it too. The labels are what proofs and explanations say, in French.
They name what exists in the world; what *follows* from it is a table's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """A value of a dimension, its place in the dimension and its French label."""

    ordinal: int
    label: str

    def __new__(cls, value: str, label: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.ordinal = len(cls.__members__)
        member.label = label
        return member


class Convocation(Word):
    """Who issued the convocation."""

    UNKNOWN = "unknown", "inconnu"
    OURS = "ours", "le service de cette table"
    ELSEWHERE = "elsewhere", "une autre académie ou le ministère"
    NONE = "none", "pas de convocation"


class Printed(Word):
    """Is an identifier printed under the header of the convocation?"""

    UNKNOWN = "unknown", "inconnu"
    YES = "yes", "oui"
    NO = "no", "non"
    LOST = "lost", "convocation perdue"


class Employer(Word):
    """Who employs the person, and whether the job goes on. EN: Éducation nationale.

    Contract teachers of sous-contrat schools are paid by the State: they count as `EN`.
    """

    UNKNOWN = "unknown", "inconnu"
    EN = "en", "Éducation nationale"
    EN_LEAVE = "en-leave", "Éducation nationale, en congé (maladie, maternité, longue durée), toujours en poste"
    EN_SECONDED = "en-seconded", "en détachement dans l’Éducation nationale"
    EN_AWAY = "en-away", "Éducation nationale, en détachement ailleurs, en disponibilité ou en congé parental"
    RETIRED = "retired", "retraite"
    AGRICULTURE = "agriculture", "ministère de l’agriculture"
    HIGHER_EDUCATION = "higher-education", "enseignement supérieur"
    MINISTRY = "ministry", "autre ministère"
    TERRITORIAL = "territorial", "collectivité territoriale"
    SCHOOL_BODY = "school-body", "organisme de gestion d’un établissement privé"
    COMPANY = "company", "entreprise ou activité indépendante"
    HIRED = "hired", "recrutement pour l’examen, études"
    OUTSIDE = "outside", "hors de l’Éducation nationale, sans précision"
    SEVERAL = "several", "plusieurs qualités à la fois"


class Posting(Word):
    """Where the person is posted: an académie by its short name, or one of the other places."""

    UNKNOWN = "unknown", "inconnu"
    CRETEIL = "creteil", "académie de Créteil"
    PARIS = "paris", "académie de Paris"
    VERSAILLES = "versailles", "académie de Versailles"
    AIX_MARSEILLE = "aix-marseille", "académie d’Aix-Marseille"
    AMIENS = "amiens", "académie d’Amiens"
    BESANCON = "besancon", "académie de Besançon"
    BORDEAUX = "bordeaux", "académie de Bordeaux"
    CLERMONT_FERRAND = "clermont-ferrand", "académie de Clermont-Ferrand"
    CORSE = "corse", "académie de Corse"
    DIJON = "dijon", "académie de Dijon"
    GRENOBLE = "grenoble", "académie de Grenoble"
    GUADELOUPE = "guadeloupe", "académie de Guadeloupe"
    GUYANE = "guyane", "académie de Guyane"
    LILLE = "lille", "académie de Lille"
    LIMOGES = "limoges", "académie de Limoges"
    LYON = "lyon", "académie de Lyon"
    MARTINIQUE = "martinique", "académie de Martinique"
    MAYOTTE = "mayotte", "académie de Mayotte"
    MONTPELLIER = "montpellier", "académie de Montpellier"
    NANCY_METZ = "nancy-metz", "académie de Nancy-Metz"
    NANTES = "nantes", "académie de Nantes"
    NICE = "nice", "académie de Nice"
    NORMANDIE = "normandie", "académie de Normandie"
    ORLEANS_TOURS = "orleans-tours", "académie d’Orléans-Tours"
    POITIERS = "poitiers", "académie de Poitiers"
    REIMS = "reims", "académie de Reims"
    RENNES = "rennes", "académie de Rennes"
    REUNION = "reunion", "académie de La Réunion"
    STRASBOURG = "strasbourg", "académie de Strasbourg"
    TOULOUSE = "toulouse", "académie de Toulouse"
    SERVICE = "service", "le service de cette table lui-même"
    REGION = "region", "services de la région académique"
    NATIONAL = "national", "administration centrale ou opérateur national"
    OUTSIDE = "outside", "hors des académies du service, sans précision"
    NONE = "none", "pas de poste à l’Éducation nationale"


class SecondPosting(Word):
    """Is there another posting beside `Posting`?"""

    UNKNOWN = "unknown", "inconnu"
    NO = "no", "non"
    SERVED = "served", "dans une autre académie du service"
    ELSEWHERE = "elsewhere", "hors des académies du service"


class Role(Word):
    """What the person does."""

    UNKNOWN = "unknown", "inconnu"
    TEACHER = "teacher", "enseignement"
    SUBSTITUTE = "substitute", "enseignement, en remplacement, en stage ou sous contrat"
    TRAINER = "trainer", "formation en CFA ou en GRETA"
    INVIGILATOR = "invigilator", "surveillance de l’examen (AED, AESH, recrutement)"
    INSPECTOR = "inspector", "inspection en académie (IEN, IA-IPR)"
    GENERAL_INSPECTOR = "general-inspector", "inspection générale"
    STAFF = "staff", "autre métier (administration, direction, CPE, santé…)"


class School(Word):
    """Where the work is done."""

    UNKNOWN = "unknown", "inconnu"
    PUBLIC = "public", "établissement public"
    SOUS_CONTRAT = "sous-contrat", "établissement privé sous contrat"
    HORS_CONTRAT = "hors-contrat", "établissement privé hors contrat"
    CFA = "cfa", "CFA ou GRETA"
    OTHER_MINISTRY = "other-ministry", "hôpital, prison, école d’un autre ministère"
    HIGHER_EDUCATION = "higher-education", "université, enseignement supérieur"
    NONE = "none", "hors établissement"


class Email(Word):
    """Has the person an academic e-mail address? « Forgotten » is not « none » (it may still exist)."""

    UNKNOWN = "unknown", "inconnu"
    YES = "yes", "oui"
    NO = "no", "non"
    FORGOTTEN = "forgotten", "oubliée"


class Account(Word):
    """State of the academic account."""

    UNKNOWN = "unknown", "inconnu"
    ACTIVE = "active", "actif"
    LOST = "lost", "identifiant ou mot de passe perdu"
    INACTIVE = "inactive", "pas encore actif"
    NO_LINK = "no-link", "actif, sans lien Imagin dans le portail"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension of a situation: its field in `Facts`, its French name, its values."""

    name: str
    label: str
    words: type[Word]

    def __len__(self) -> int:
        return len(self.words)


DIMENSIONS = (
    Dimension("convocation", "convocation envoyée par", Convocation),
    Dimension("printed", "identifiant imprimé", Printed),
    Dimension("employer", "employeur", Employer),
    Dimension("posting", "poste", Posting),
    Dimension("second_posting", "autre poste", SecondPosting),
    Dimension("role", "métier", Role),
    Dimension("school", "lieu de travail", School),
    Dimension("email", "adresse électronique académique", Email),
    Dimension("account", "compte académique", Account),
)
"""Every dimension, in the order of the fields of `Facts`."""

WORDS: dict[str, dict[str, Word]] = {
    dimension.name: {str(word): word for word in dimension.words} for dimension in DIMENSIONS
}
"""Values of each dimension, by dimension and string."""

ACADEMIES = tuple(
    posting
    for posting in Posting
    if posting
    not in (Posting.UNKNOWN, Posting.SERVICE, Posting.REGION, Posting.NATIONAL, Posting.OUTSIDE, Posting.NONE)
)
"""The postings that are académies."""
