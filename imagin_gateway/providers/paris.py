"""ARENA of the académie de Paris."""

from imagin_gateway.identity import Door
from imagin_gateway.providers.arena import Arena

ARENA = Arena(
    door=Door.PARIS,
    academie=1,
    domain="ac-paris.fr",
    link="https://bv.ac-paris.fr",
    recovery="https://depannage.ac-paris.fr",
)
