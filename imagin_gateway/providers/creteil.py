"""ARENA of the académie de Créteil."""

from imagin_gateway.identity import Door
from imagin_gateway.providers.arena import Arena

ARENA = Arena(
    door=Door.CRETEIL,
    academie=24,
    domain="ac-creteil.fr",
    link="https://externet.ac-creteil.fr",
    # The recovery links stand at the bottom of the portal's own page.
    recovery="https://externet.ac-creteil.fr",
)
