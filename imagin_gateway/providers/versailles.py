"""ARENA of the académie de Versailles."""

from imagin_gateway.identity import Door
from imagin_gateway.providers.arena import Arena

ARENA = Arena(
    door=Door.VERSAILLES,
    academie=25,
    domain="ac-versailles.fr",
    link="https://id.ac-versailles.fr",
    recovery="https://bv.ac-versailles.fr/macadam/depannage",
)
