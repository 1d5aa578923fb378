"""`imagin-gateway check`: whether the gateway could start with these settings."""

from __future__ import annotations

from imagin_gateway.cli.common import DEFAULT_FILE, SettingsFile, err, explained, out
from imagin_gateway.errors import Problem
from imagin_gateway.flows.proxies import noticed
from imagin_gateway.gateway import open_admission, open_policy, open_portals, open_stores
from imagin_gateway.settings import LinkPortal, Settings
from imagin_gateway.settings.proconnect import PROCONNECT


def check(settings: SettingsFile = DEFAULT_FILE) -> None:
    """Vérifier les réglages : toutes les erreurs d'un coup, avec la clé et ce qu'il faut écrire."""
    with explained():
        loaded = Settings.load(settings)
        policy = open_policy(loaded)
        open_admission(loaded, policy)
        portals = open_portals(loaded, policy)
        opened = open_stores(loaded)
        try:
            opened.sessions.store.ping()
            # Only a server has settings of its own.
            dangers: list[Problem] = getattr(opened.sessions.store, "warnings", list)()
            dangers += noticed(loaded, opened.sessions.store, opened.keys, opened.clock)
        finally:
            opened.close()
            for portal in portals.values():
                getattr(portal, "close", lambda: None)()
        if loaded.development:
            err.print("Attention : mode développement, jamais devant de vrais comptes.", style="yellow")
        for danger in dangers:
            err.print(f"Attention : {danger}", style="yellow", markup=False)
        out.print(f"Réglages corrects : {settings}", markup=False)
        out.print(f"  adresse   {loaded.url('/')}", markup=False)
        for door in policy.doors.values():
            config = loaded.portals.get(door.id)
            if door.id in portals and config is not None:
                how = f"{config.protocol}, {portals[door.id].issuer}"
            elif config is not None and not config.enabled:
                how = "fermée"
            elif config is None or isinstance(config, LinkPortal):
                how = "comptes de la passerelle" if door.id == "direct" else f"lien vers {door.link}"
            else:
                how = "?"
            out.print(f"  porte     {door.id} : {how}", markup=False)
        if PROCONNECT in portals:
            out.print(f"  porte     {PROCONNECT} : oidc, {portals[PROCONNECT].issuer}", markup=False)
