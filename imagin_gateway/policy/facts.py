"""What is known of a person's situation, and which situations cannot exist.

Facts are *declared*: they choose a door and grant nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from imagin_gateway.errors import PolicyError
from imagin_gateway.policy.typography import spaced
from imagin_gateway.policy.vocabulary import (
    ACADEMIES,
    DIMENSIONS,
    WORDS,
    Account,
    Convocation,
    Email,
    Employer,
    Posting,
    Printed,
    Role,
    School,
    SecondPosting,
    Word,
)


class FactsRefused(PolicyError):
    """These facts cannot be told: a name or a value is unknown, or two of them exclude each other.

    Attributes:
        clash: names of the dimensions that exclude each other; empty for an unknown name or value.
    """

    def __init__(self, message: str, clash: tuple[str, ...] = ()) -> None:
        super().__init__(spaced(message))
        self.clash = clash


Box = tuple[int, ...]
"""One bit mask per dimension, in order: bit n stands for the value of ordinal n. A product of choices."""


def box(when: Mapping[str, frozenset[Word]]) -> Box:
    """Return the box of the situations whose every named dimension takes one of the named values."""
    return tuple(
        sum(1 << word.ordinal for word in when[dimension.name]) if dimension.name in when else (1 << len(dimension)) - 1
        for dimension in DIMENSIONS
    )


@dataclass(frozen=True, slots=True)
class Clash:
    """A combination that cannot exist, and why, in French."""

    names: tuple[str, ...]
    box: Box
    message: str


def _clash(message: str, **when: tuple[Word, ...]) -> Clash:
    return Clash(tuple(when), box({name: frozenset(words) for name, words in when.items()}), message)


_IN_POST = (Employer.EN, Employer.EN_LEAVE, Employer.EN_SECONDED)
_NOWHERE = (Posting.UNKNOWN, Posting.NONE)

CLASHES = (
    _clash(
        "sans convocation, on ne peut dire si un identifiant y est imprimé",
        convocation=(Convocation.NONE,),
        printed=(Printed.YES, Printed.NO),
    ),
    _clash(
        "un agent en poste à l’Éducation nationale a un poste",
        employer=_IN_POST,
        posting=(Posting.NONE,),
    ),
    _clash(
        "une personne à la retraite n’est plus en poste",
        employer=(Employer.RETIRED,),
        posting=tuple(posting for posting in Posting if posting not in _NOWHERE),
    ),
    _clash(
        "en détachement ailleurs, en disponibilité ou en congé parental, on n’est pas en poste dans une académie",
        employer=(Employer.EN_AWAY,),
        posting=(*ACADEMIES, Posting.SERVICE, Posting.REGION),
    ),
    _clash(
        "l’inspection générale n’est pas en poste dans une académie",
        posting=(*ACADEMIES, Posting.SERVICE, Posting.REGION),
        role=(Role.GENERAL_INSPECTOR,),
    ),
    _clash(
        "l’Éducation nationale n’affecte personne dans un établissement hors contrat",
        employer=_IN_POST,
        school=(School.HORS_CONTRAT,),
    ),
    _clash(
        "les identifiants académiques sont ceux de la messagerie : un compte en service a une adresse",
        email=(Email.NO,),
        account=(Account.ACTIVE, Account.LOST, Account.NO_LINK),
    ),
    _clash(
        "sans poste, il n’y a pas d’autre poste",
        posting=(Posting.NONE,),
        second_posting=(SecondPosting.SERVED, SecondPosting.ELSEWHERE),
    ),
    _clash(
        "avec un poste dans une académie du service, c’est lui qu’il faut dire d’abord",
        posting=(Posting.NATIONAL, Posting.OUTSIDE),
        second_posting=(SecondPosting.SERVED,),
    ),
)
"""Combinations that cannot exist."""

_CLASHING = tuple(
    tuple(
        sum(1 << number for number, clash in enumerate(CLASHES) if clash.box[depth] >> ordinal & 1)
        for ordinal in range(len(dimension))
    )
    for depth, dimension in enumerate(DIMENSIONS)
)
"""For each value of each dimension, the clashes it may take part in, one bit each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One situation. Whatever is not told is unknown.

    Values may be members of the enumerations or their strings.

    Raises:
        FactsRefused: a value does not exist, or the combination cannot; `clash` names the dimensions.
    """

    convocation: Convocation = Convocation.UNKNOWN
    printed: Printed = Printed.UNKNOWN
    employer: Employer = Employer.UNKNOWN
    posting: Posting = Posting.UNKNOWN
    second_posting: SecondPosting = SecondPosting.UNKNOWN
    role: Role = Role.UNKNOWN
    school: School = School.UNKNOWN
    email: Email = Email.UNKNOWN
    account: Account = Account.UNKNOWN
    index: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Ordinal of each value, in the order of `DIMENSIONS`: the key of a decision table."""

    def __post_init__(self) -> None:
        ordinals, clashing = [], -1
        for dimension, clashes in zip(DIMENSIONS, _CLASHING, strict=True):
            value = getattr(self, dimension.name)
            if type(value) is not dimension.words:
                word = WORDS[dimension.name].get(value) if isinstance(value, str) else None
                if word is None:
                    raise FactsRefused(f"valeur inconnue pour « {dimension.name} »")
                object.__setattr__(self, dimension.name, value := word)
            ordinals.append(value.ordinal)
            clashing &= clashes[value.ordinal]
        object.__setattr__(self, "index", tuple(ordinals))
        if clashing:
            clash = CLASHES[(clashing & -clashing).bit_length() - 1]
            raise FactsRefused(f"{' et '.join(clash.names)} s’excluent : {clash.message}", clash.names)

    def __hash__(self) -> int:
        return hash(self.index)

    @classmethod
    def parse(cls, told: Mapping[str, str]) -> Facts:
        """Build facts from names and values as strings, e.g. a query string or a command line.

        Raises:
            FactsRefused: a name or a value does not exist, or the combination cannot. Never repeats what was told.
        """
        if not NAMES.issuperset(told):
            raise FactsRefused(f"fait inconnu ; les faits sont : {', '.join(sorted(NAMES))}")
        return cls(**cast(dict[str, Any], dict(told)))

    def but(self, told: Mapping[str, str]) -> Facts:
        """Return these facts with some of them told otherwise. Raises `FactsRefused` as `parse` does."""
        return Facts.parse({**{name: getattr(self, name) for name in NAMES}, **told})

    def known(self) -> Iterator[tuple[str, Word]]:
        """Yield name and value of every fact that is known."""
        for dimension in DIMENSIONS:
            value: Word = getattr(self, dimension.name)
            if value.ordinal:
                yield dimension.name, value

    def describe(self) -> str:
        """Tell the situation in French; what is unknown is left out."""
        labels = {dimension.name: dimension.label for dimension in DIMENSIONS}
        return (
            spaced(" ; ".join(f"{labels[name]} : {value.label}" for name, value in self.known())) or "rien n’est connu"
        )


NAMES = frozenset(dimension.name for dimension in DIMENSIONS)
"""Names of the facts."""
