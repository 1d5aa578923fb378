"""What a page of the host asks of a person, beyond being there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from imagin_gateway.identity import Activity


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked. All of it must hold.

    Attributes:
        activities: each must be open to the person.
        recent: longest time since the person last proved who they are.
        strength: each a set of `acr` or `amr` values, one of which must have been reached.
    """

    activities: frozenset[Activity] = frozenset()
    recent: timedelta | None = None
    strength: tuple[frozenset[str], ...] = ()


def asked(
    activities: Collection[Activity | str], recent: timedelta | None = None, strength: Collection[str] = ()
) -> Asked:
    """Return what a route asks for, checked where the route is written: an error there names its line.

    Args:
        activities: by name, or as `Activity`.
        recent: longest time since the person last proved who they are.
        strength: values of `acr` or `amr`, one of which must have been reached; what a portal did not tell is weak.

    Raises:
        TypeError: `recent` is no duration, or `activities` or `strength` is a single text.
        ValueError: an activity does not exist, or the duration is not positive.
    """
    for name, given in (("activities", activities), ("strength", strength)):
        if isinstance(given, str):
            raise TypeError(f"{name} is a collection of names: write ({given!r},)")
    if recent is not None:
        if not isinstance(recent, timedelta):
            raise TypeError("recent is a datetime.timedelta")
        if recent <= timedelta(0):
            raise ValueError("recent is a positive duration")
    return Asked(frozenset(_activity(each) for each in activities), recent, (frozenset(strength),) if strength else ())


def _activity(name: Activity | str) -> Activity:
    if not isinstance(name, str):
        raise TypeError(_instead_of_a_name(name))
    try:
        return Activity(name)
    except ValueError:
        known = ", ".join(sorted(Activity))
        raise ValueError(f"no activity is called {name!r}; there are: {known}") from None


def _instead_of_a_name(given: object) -> str:
    if isinstance(given, Collection):
        return "activities are written one after the other: signed_in(Activity.MISSIONS, Activity.MARKING)"
    # A function or a class here is a decorator written without its parentheses.
    return f"an activity is a name, not {type(given).__name__}: are the parentheses of signed_in() there?"
