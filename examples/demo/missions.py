"""« Mes missions »: what the demonstration's host shows, whatever its framework."""

from __future__ import annotations

from html import escape

from imagin_gateway import Activity
from imagin_gateway.mounts import Visitor

ACTIVITIES = {
    Activity.MISSIONS: "Consultation des missions",
    Activity.EXPENSES: "États de frais",
    Activity.MARKING: "Portail correcteur",
    Activity.PERSONAL_DATA: "Informations personnelles",
}

DOORS = {
    "arena-creteil": "portail ARENA de Créteil",
    "arena-paris": "portail ARENA de Paris",
    "arena-versailles": "portail ARENA de Versailles",
    "direct": "accès direct",
}

_PAGE = """<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Mes missions</title>
<style>
body {{ font-family: system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5 }}
dt {{ font-weight: 700 }} dd {{ margin: 0 0 .75rem }}
nav a {{ display: inline-block; margin-right: 1.25rem; padding: .5rem 0 }}
</style></head>
<body><nav><a href="/">Accueil</a><a href="/missions">Mes missions</a><a href="/frais">Mes frais</a>
<a href="/coordonnees">Mes coordonnées</a>{session}</nav><main><h1>{title}</h1>{body}</main>{script}</body></html>"""


def _page(title: str, body: str, visitor: Visitor) -> str:
    session = (
        f'<a href="{escape(visitor.session_path)}">Ma session</a>'
        f'<a href="{escape(visitor.logout_path)}">Terminer la session</a>'
        if visitor.person
        else f'<a href="{escape(visitor.login_path)}">Se connecter</a>'
    )
    # Warns before the session ends; without it the page works the same.
    source, data = escape(visitor.session_script), escape(visitor.session_path)
    script = f'<script src="{source}" data-session="{data}" defer></script>' if visitor.person else ""
    return _PAGE.format(title=escape(title), body=body, session=session, script=script)


def home(visitor: Visitor) -> str:
    """Return the public page."""
    who = f"<p>Bonjour, {escape(visitor.person.display_name)}.</p>" if visitor.person else ""
    return _page("Accueil", who + "<p>Application de démonstration, derrière <code>imagin_gateway</code>.</p>", visitor)


def missions(visitor: Visitor, asked: str = "") -> str:
    """Return a protected page: who came in, by which door, for what."""
    person = visitor.person
    if person is None:  # the gateway's settings protect this page; a host may still check for itself
        raise PermissionError("nobody is signed in")
    activities = "".join(f"<li>{escape(label)}</li>" for activity, label in ACTIVITIES.items() if person.can(activity))
    body = (
        f'<dl><dt>Personne</dt><dd id="nom">{escape(person.display_name)}</dd>'
        f'<dt>Identifiant</dt><dd id="identifiant">{escape(person.subject)}</dd>'
        f'<dt>Porte</dt><dd id="porte">{escape(DOORS.get(person.door, person.door))}</dd>'
        f'<dt>Activités ouvertes</dt><dd><ul id="activites">{activities}</ul></dd></dl>'
    )
    if asked:
        body += f'<p>Mission demandée : <strong id="mission">{escape(asked)}</strong></p>'
    return _page("Mes missions", body, visitor)


def simple(title: str, visitor: Visitor) -> str:
    """Return another protected page."""
    return _page(title, f"<p>{escape(visitor.person.display_name if visitor.person else '')}</p>", visitor)
