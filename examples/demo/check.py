"""Drives the demonstration as people would, over HTTP: one line a journey, and a failure if one fails."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from examples.demo.browser import Browser, Lost, Page
from examples.demo.stage import Stage

Journey = Callable[[Stage], str]
CHOSEN = "quatre mots sans rapport aucun"
CHOSEN_AGAIN = "encore une autre phrase longue"


def _expect(page: Page, holds: bool, what: str) -> None:
    if not holds:
        raise Lost(f"{what} : attendu sur {page.url} ({page.status}, « {page.title} »)")


def _signed_in(page: Page, name: str, door: str, *activities: str) -> None:
    _expect(page, page.status == 200 and page.title == "Mes missions", "la page demandée")
    _expect(page, page.by_id("nom") == name, f"le nom {name}")
    _expect(page, door in page.by_id("porte"), f"la porte {door}")
    for activity in activities:
        _expect(page, activity in page.by_id("activites"), f"l'activité {activity}")


def by_questions(stage: Stage, browser: Browser, post: str) -> None:
    """Answer the questions as an agent posted in one of the three académies would."""
    browser.click("Je ne sais pas")
    for answer in ("Le SIEC", post, "Oui"):
        if browser.current.tree.xpath("//input[@type='radio']"):
            browser.choose(answer)


def versailles_by_questions(stage: Stage) -> str:
    """A Versailles teacher finds the door by answering questions, and lands on the page first asked for."""
    someone = stage.someone("arena-versailles")
    with Browser() as browser:
        page = browser.open(stage.url("/missions/BTS-2026-04?onglet=convocation"))
        _expect(page, "/connexion/" in page.url, "le choix d'un accès")
        by_questions(stage, browser, "Académie de Versailles")
        _expect(browser.current, browser.current.says("Versailles"), "la porte de Versailles")
        browser.click("Aller sur le portail")
        browser.submit({"identifiant": someone.login, "motdepasse": someone.password})
        page = _relay(browser)
        _expect(page, page.url.endswith("/missions/BTS-2026-04?onglet=convocation"), "la page demandée d'abord")
        _signed_in(page, someone.name, "Versailles", "Consultation des missions", "États de frais")
        return f"{someone.name} : questions → portail de Versailles → {page.by_id('mission')}"


def _relay(browser: Browser) -> Page:
    """Press the button of the page that carries a SAML answer, when there is one: no script here."""
    page = browser.current
    if page.tree.xpath("//input[@name='SAMLResponse']"):
        page = browser.submit()
    return page


def paris_by_oidc(stage: Stage) -> str:
    """A Paris agent does the same through OpenID Connect."""
    someone = stage.someone("arena-paris")
    with Browser() as browser:
        browser.open(stage.url("/missions/CAP-2026-11"))
        by_questions(stage, browser, "Académie de Paris")
        browser.click("Aller sur le portail")
        page = browser.submit({"identifiant": someone.login, "motdepasse": someone.password})
        _expect(page, page.url.endswith("/missions/CAP-2026-11"), "la page demandée d'abord")
        _signed_in(page, someone.name, "Paris", "Consultation des missions", "Portail correcteur")
        return f"{someone.name} : questions → portail de Paris → {page.by_id('mission')}"


def creteil_from_portal(stage: Stage) -> str:
    """A Créteil agent arrives by a link inside the portal."""
    someone = stage.someone("arena-creteil")
    with Browser() as browser:
        browser.open(stage.portal_url("arena-creteil"))
        browser.submit({"identifiant": someone.login, "motdepasse": someone.password})
        browser.click("Imagin")
        page = _relay(browser)
        if page.title != "Mes missions":
            page = browser.open(stage.url("/missions"))
        _signed_in(page, someone.name, "Créteil", "Consultation des missions")
        return f"{someone.name} : lien « Imagin » du portail de Créteil → application"


def _direct(browser: Browser, stage: Stage, identifier: str, password: str) -> Page:
    browser.open(stage.url("/missions"))
    browser.click("Accès direct")
    if not browser.current.tree.xpath("//input[@name='motdepasse']"):
        browser.click("Aller à l'accès direct")
    return browser.submit({"identifiant": identifier, "motdepasse": password})


def first_password(stage: Stage) -> str:
    """A CFA trainer logs in with the letter, must choose a password, then uses it; the provisional one is dead."""
    letter = stage.letter("formateur en CFA")
    with Browser() as browser:
        page = _direct(browser, stage, letter.identifier, letter.password)
        _expect(page, page.title == "Choisissez votre mot de passe", "le choix d'un mot de passe")
        for elsewhere in ("/missions", "/", "/connexion/session"):
            page = browser.open(stage.url(elsewhere))
            _expect(
                page, page.title == "Choisissez votre mot de passe", f"le choix d'un mot de passe avant {elsewhere}"
            )
        page = browser.submit({"nouveau": "trop court", "encore": "trop court"})
        _expect(page, page.status == 422 and page.says("15"), "le refus d'un mot de passe trop court")
        page = browser.submit({"nouveau": CHOSEN, "encore": CHOSEN})
        page = browser.open(stage.url("/missions"))
        _signed_in(page, letter.name, "direct", "États de frais", "Informations personnelles")
        _expect(page, "Consultation des missions" not in page.by_id("activites"), "pas de missions par l'accès direct")
    with Browser() as browser:
        page = _direct(browser, stage, letter.identifier, letter.password)
        _expect(page, page.status == 403, "le mot de passe provisoire ne sert plus")
        page = _direct(browser, stage, letter.identifier, CHOSEN)
        _signed_in(page, letter.name, "direct")
    return f"{letter.name} : provisoire → mot de passe choisi → connexion ; le provisoire ne sert plus"


def forgotten_password(stage: Stage) -> str:
    """The same person forgets the password, gets a mail, sets a new one; the link is dead afterwards."""
    letter = stage.letter("formateur en CFA")
    with Browser() as browser:
        browser.open(stage.url("/connexion/direct"))
        browser.click("Mot de passe oublié")
        page = browser.submit({"identifiant": letter.identifier})
        _expect(page, page.title == "Votre demande est enregistrée", "la demande enregistrée")
        known = page.text
        browser.open(stage.url("/connexion/mot-de-passe/oubli"))
        page = browser.submit({"identifiant": "personne-de-ce-nom"})
        _expect(page, page.text == known, "la même réponse pour un identifiant inconnu")
        link = stage.mailed_link(letter.email)
        page = browser.open(link)
        _expect(page, "jeton" not in page.url, "le jeton hors de l'adresse")
        page = browser.submit({"nouveau": CHOSEN_AGAIN, "encore": CHOSEN_AGAIN})
        _expect(page, page.says("Connectez-vous"), "le mot de passe changé, sans connexion")
        page = browser.open(link)
        _expect(page, page.status == 410, "le lien ne marche plus")
    with Browser() as browser:
        page = _direct(browser, stage, letter.identifier, CHOSEN)
        _expect(page, page.status == 403, "l'ancien mot de passe ne marche plus")
        page = _direct(browser, stage, letter.identifier, CHOSEN_AGAIN)
        _signed_in(page, letter.name, "direct")
    return f"{letter.name} : courriel reçu → nouveau mot de passe ; le lien ne sert qu'une fois"


def wrong_identifier(stage: Stage) -> str:
    """Somebody types an academic identifier at the direct door: told how to tell the two apart, and nothing else."""
    academic = stage.someone("arena-versailles")
    known = stage.letter("surveillant")
    answers = []
    for identifier in (academic.login, known.identifier):
        with Browser() as browser:
            page = _direct(browser, stage, identifier, "un mot de passe quelconque")
            _expect(page, page.status == 403, "le refus")
            _expect(page, page.says("Il peut ressembler à un identifiant académique"), "comment les distinguer")
            _expect(page, page.says("Passez par le portail de votre académie"), "l'autre chemin")
            token = page.tree.xpath("//input[@name='formulaire']")[0].get("value")
            answers.append((page.status, page.text.replace(token, "").replace(identifier, "")))
    if _nonceless(answers[0]) != _nonceless(answers[1]):
        raise Lost("la réponse dit si le compte existe")
    return "identifiant académique à l'accès direct : même réponse qu'un compte existe ou non, et la marche à suivre"


def _nonceless(answer: tuple[int, str]) -> tuple[int, str]:

    return answer[0], re.sub(r'nonce="[^"]*"', "", answer[1])


def logout(stage: Stage) -> str:
    """Log out: the portal's session ends too, and the old cookie is worthless."""
    someone = stage.someone("arena-paris")
    with Browser() as browser:
        browser.open(stage.url("/missions"))
        browser.click("Académie de Paris")
        browser.click("Aller sur le portail")
        _signed_in(
            browser.submit({"identifiant": someone.login, "motdepasse": someone.password}), someone.name, "Paris"
        )
        stolen = browser.cookies["ig-session"]
        browser.click("Terminer la session")
        page = browser.submit()
        _expect(page, page.says("session Imagin SIEC est terminée"), "la session terminée")
        _expect(page, not page.says("reste ouvert"), "le portail a terminé la sienne")
        browser.open(stage.url("/missions"))
        browser.click("Académie de Paris")
        page = browser.click("Aller sur le portail")
        _expect(page, not page.says(someone.name), "le portail redemande les identifiants")
    with Browser() as thief:
        thief.set_cookie("ig-session", stolen)
        page = thief.open(stage.url("/missions"))
        _expect(page, "/connexion/" in page.url, "le cookie d'avant ne vaut plus rien")
    return f"{someone.name} : session terminée, celle du portail aussi ; l'ancien cookie ne vaut plus rien"


def ended_by_operator(stage: Stage) -> str:
    """The operator ends a session from the command line; the next request is anonymous."""
    someone = stage.someone("arena-creteil")
    with Browser() as browser:
        browser.open(stage.portal_url("arena-creteil"))
        browser.submit({"identifiant": someone.login, "motdepasse": someone.password})
        browser.click("Imagin")
        _relay(browser)
        page = browser.open(stage.url("/missions"))
        _signed_in(page, someone.name, "Créteil")
        said = stage.operator("sessions", "end", "--door", "arena-creteil", "--subject", someone.login)
        page = browser.open(stage.url("/missions"))
        _expect(page, "/connexion/" in page.url, "la requête suivante est anonyme")
    return f"{someone.name} : {said.strip().splitlines()[-1]}"


JOURNEYS: tuple[Journey, ...] = (
    versailles_by_questions,
    paris_by_oidc,
    creteil_from_portal,
    first_password,
    forgotten_password,
    wrong_identifier,
    logout,
    ended_by_operator,
)


def main() -> int:
    """Run every journey on a fresh stage. Return 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", choices=("asgi", "wsgi"), default="asgi")
    host = parser.parse_args().host
    failed = 0
    with tempfile.TemporaryDirectory(prefix="imagin-demo-") as folder, Stage(Path(folder), host=host) as stage:
        for number, journey in enumerate(JOURNEYS, 1):
            begun = time.monotonic()
            try:
                line, mark = journey(stage), "ok"
            except Exception as error:  # every journey is tried, whatever happened to the others
                failed += 1
                line, mark = f"{(journey.__doc__ or '').strip()} — {type(error).__name__} : {error}", "ÉCHEC"
                if os.environ.get("CI") or "-v" in sys.argv:
                    traceback.print_exc()
            print(f"({number}) {mark:5} {line} [{time.monotonic() - begun:.1f} s]", flush=True)
        if failed:
            print(stage.log_tail(), file=sys.stderr)
    print(f"{len(JOURNEYS) - failed} journeys passed, {failed} failed, host {host}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
