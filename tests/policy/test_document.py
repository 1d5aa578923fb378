"""The connection page of SIEC, sentence by sentence: what it says is what the table says."""

from __future__ import annotations

import re

import pytest

from imagin_gateway.identity import Activity
from imagin_gateway.policy import DoorInfo, Facts, Mark, Text, siec

PORTALS = ("arena-creteil", "arena-paris", "arena-versailles")


def door(name: str) -> DoorInfo:
    return siec().door(name)


def decide(**told: str) -> str:
    return siec().decide(Facts.parse({"convocation": "ours", **told})).outcome


def plain(text: Text | str) -> str:
    """French typography apart, e.g. for the page's own spelling « l'entête »."""
    return re.sub("[\u00a0 ]+", " ", str(text).replace("’", "'"))


def told(*groups: tuple[Text, ...]) -> str:
    return " ".join(plain(statement) for group in groups for statement in group)


def test_les_modalites_d_acces_dependent_de_votre_situation() -> None:
    """« Les modalités d'accès à l'application Imagin SIEC dépendent de votre situation. »"""
    assert len(siec().doors) == 4
    assert siec().decide(Facts()).door is None


@pytest.mark.parametrize("academie", ["creteil", "paris", "versailles"])
def test_agent_en_poste_dans_l_une_des_trois_academies(academie: str) -> None:
    """« Si vous êtes agent de l'Education nationale en poste dans l'une des trois académies franciliennes,
    la connexion se fait via le portail ARENA avec vos identifiants académiques. »"""
    decision = siec().decide(Facts.parse({"employer": "en", "posting": academie, "email": "yes"}))
    assert (decision.door, decision.mark) == (f"arena-{academie}", Mark.DOCUMENT)
    assert "identifiants académiques" in told(door(f"arena-{academie}").credentials)


@pytest.mark.parametrize("name", PORTALS)
def test_le_lien_imagin_est_a_la_rubrique_examens_et_concours(name: str) -> None:
    """« Un lien vers Imagin se trouve à la rubrique « Examens et concours ». »"""
    assert "rubrique « Examens et concours »" in told(door(name).where)
    assert "lien Imagin" in told(door(name).where)


@pytest.mark.parametrize(
    ("example", "facts"),
    [
        ("enseignant hors Ile-de-France", {"employer": "en", "posting": "lyon", "role": "teacher"}),
        ("agent d'un autre ministère", {"employer": "ministry"}),
        ("formateur en CFA", {"employer": "outside", "role": "trainer", "school": "cfa"}),
        ("inspecteur général", {"role": "general-inspector"}),
        ("professionnel", {"employer": "company"}),
        ("surveillant", {"employer": "hired", "role": "invigilator"}),
    ],
)
def test_dans_tous_les_autres_cas_l_acces_est_direct(example: str, facts: dict[str, str]) -> None:
    """« Dans tous les autres cas (enseignant hors Ile-de-France, agent d'un autre ministère, formateur en CFA,
    inspecteur général, professionnel, surveillant...), l'accès à Imagin est direct. »"""
    decision = siec().decide(Facts.parse({"convocation": "ours", **facts}))
    assert (decision.door, decision.mark) == ("direct", Mark.DOCUMENT)
    assert example in plain(siec().clauses["B2"].quote)


def test_l_identifiant_est_toujours_sous_l_entete_de_la_convocation() -> None:
    """« Votre identifiant est alors toujours appelé sous l'entête de la convocation ainsi, éventuellement,
    qu'un mot de passe provisoire. »"""
    assert "toujours imprimé sous l'en-tête de la convocation" in told(door("direct").credentials)
    assert "Un mot de passe provisoire est parfois imprimé" in told(door("direct").credentials)
    # toujours: so nothing printed is not this door
    assert decide(employer="company", printed="no") != "direct"


@pytest.mark.parametrize(
    ("academie", "link"),
    [
        ("creteil", "https://externet.ac-creteil.fr"),
        ("paris", "https://bv.ac-paris.fr"),
        ("versailles", "https://id.ac-versailles.fr"),
    ],
)
@pytest.mark.parametrize("school", ["public", "sous-contrat"])
def test_enseignant_public_ou_prive_sous_contrat(academie: str, link: str, school: str) -> None:
    """« Enseignant dans un établissement public ou privé sous contrat » : « Créteil », « Paris », « Versailles »,
    « Lien » : https://externet.ac-creteil.fr, https://bv.ac-paris.fr, https://id.ac-versailles.fr"""
    facts = Facts.parse({"employer": "en", "posting": academie, "role": "teacher", "school": school, "email": "yes"})
    decision = siec().decide(facts)
    assert decision.mark is Mark.DOCUMENT
    assert decision.door is not None
    assert door(decision.door).link == link


@pytest.mark.parametrize("school", ["public", "sous-contrat"])
def test_enseignant_autre_academie(school: str) -> None:
    """« Enseignant dans un établissement public ou privé sous contrat » : « Autre académie »,
    « Lien » : https://imagin.siec.education.fr/imagin/intervenant"""
    assert decide(employer="en", posting="lille", role="teacher", school=school, email="yes") == "direct"
    assert door("direct").link == "https://imagin.siec.education.fr/imagin/intervenant"


def test_intervenant_exterieur_ou_n_ayant_pas_d_email_academique() -> None:
    """« Intervenant extérieur à l'Education nationale (ou n'ayant pas d'email académique) »"""
    assert decide(employer="outside") == "direct"
    assert decide(employer="en", posting="paris", role="teacher", email="no") == "direct"
    assert decide(email="no") == "direct"


@pytest.mark.parametrize("name", PORTALS)
def test_les_identifiants_sont_vos_identifiants_academiques(name: str) -> None:
    """« Les identifiants sont vos identifiants académiques (comme pour l'authentification sur iProf ou sur le
    webmail académique). »"""
    assert "les mêmes que pour I-Prof et la messagerie académique" in told(door(name).credentials)
    assert all(statement.mark is Mark.DOCUMENT for statement in door(name).credentials)


@pytest.mark.parametrize("name", PORTALS)
def test_votre_numen_est_requis(name: str) -> None:
    """« Il est possible de retrouver votre identifiant et/ou de réinitialiser le mot de passe à l'adresse
    ci-dessous (votre numen est requis). »"""
    assert "Votre NUMEN y sera demandé." in told(door(name).recovery)


def test_creteil_utilisez_les_liens_en_bas_de_page() -> None:
    """« Utilisez les liens en bas de page : https://externet.ac-creteil.fr »"""
    assert "liens en bas de la page externet.ac-creteil.fr" in told(door("arena-creteil").recovery)
    assert door("arena-creteil").recovery_link == ""


def test_paris_depannage() -> None:
    """« En cas d'oubli » : https://depannage.ac-paris.fr"""
    assert door("arena-paris").recovery_link == "https://depannage.ac-paris.fr"
    assert "Allez sur depannage.ac-paris.fr" in told(door("arena-paris").recovery)


def test_versailles_macadam_depannage() -> None:
    """« En cas d'oubli » : https://bv.ac-versailles.fr/macadam/depannage"""
    assert door("arena-versailles").recovery_link == "https://bv.ac-versailles.fr/macadam/depannage"
    assert "bv.ac-versailles.fr/macadam/depannage" in told(door("arena-versailles").recovery)


def test_votre_identifiant_propre_a_imagin_siec_figure_sous_l_entete() -> None:
    """« Votre identifiant, propre à Imagin SIEC, figure sous l'entête des convocations. »"""
    assert "Votre identifiant est propre à Imagin SIEC." in told(door("direct").credentials)


def test_il_peut_ressembler_a_un_identifiant_academique() -> None:
    """« Il peut ressembler à un identifiant académique, mais en est bien distinct. »"""
    assert "Il peut ressembler à un identifiant académique, mais c'en est un autre." in told(door("direct").not_these)


def test_aucun_mot_de_passe_sur_la_convocation_c_est_que_vous_l_avez_deja_personnalise() -> None:
    """« Si aucun mot de passe n'est indiqué sur la convocation, c'est que vous l'avez déjà personnalisé. »"""
    assert "S'il n'y en a pas, c'est que vous en avez déjà choisi un." in told(door("direct").credentials)


def test_mot_de_passe_oublie() -> None:
    """« Cliquer sur le lien « Mot de passe oublié ? ». »
    « Vous devriez recevoir un mail dans les minutes qui suivent. Si ce n'est pas le cas, écrire à
    imagin@siec.education.fr. »"""
    recovery = told(door("direct").recovery)
    assert "cliquez sur « Mot de passe oublié ? »" in recovery
    assert (
        "Un courriel devrait arriver dans les minutes qui suivent. Sinon, écrivez à imagin@siec.education.fr."
        in recovery
    )
    assert siec().contacts["siec"].mail == "imagin@siec.education.fr"


@pytest.mark.parametrize("name", PORTALS)
def test_activites_proposees_par_les_portails(name: str) -> None:
    """« Consultation des missions : vérifier vos missions en cours et télécharger des duplicata de vos convocations »
    « Saisie/consultation des états de frais : déclarer le travail effectué et vos éventuels frais de déplacement
    quand la réglementation prévoit indemnisation »
    « Portail correcteur : accéder aux corrections dématérialisées dans l'application Santorin »"""
    words = {offer.activity: plain(offer.label) for offer in door(name).offers}
    assert list(words) == [Activity.MISSIONS, Activity.EXPENSES, Activity.MARKING]
    assert words[Activity.MISSIONS] == "Vos missions en cours et les duplicata de vos convocations"
    assert (
        "travail effectué et déplacements, quand la réglementation prévoit une indemnisation"
        in words[Activity.EXPENSES]
    )
    assert "Santorin" in words[Activity.MARKING]


def test_activites_proposees_par_l_acces_direct() -> None:
    """« Saisie des états de frais mission : déclarer le travail effectué et vos frais de déplacement quand la
    réglementation prévoit indemnisation »
    « Informations personnelles : vérifier/modifier vos coordonnées, ce qui ne dispense pas d'alerter le service
    gestionnaire en cas de changement »
    « Portail correcteur : accéder aux corrections dématérialisées dans l'application Santorin »"""
    offers = {offer.activity: offer for offer in door("direct").offers}
    assert list(offers) == [Activity.EXPENSES, Activity.PERSONAL_DATA, Activity.MARKING]
    assert plain(offers[Activity.EXPENSES].label).startswith("Vos états de frais de mission")
    note = offers[Activity.PERSONAL_DATA].note
    assert note is not None
    assert plain(note) == "Les modifier ici ne dispense pas de prévenir le service gestionnaire."


def test_neither_side_promises_what_only_the_other_has() -> None:
    """The page gives duplicates of convocations to the portals only, and personal data to the direct door only."""
    assert Activity.MISSIONS not in siec().activities("direct")
    for name in PORTALS:
        assert Activity.PERSONAL_DATA not in siec().activities(name)


def test_every_clause_of_the_document_quotes_the_document() -> None:
    page = plain(_PAGE)
    for clause in siec().clauses.values():
        if clause.mark is Mark.DOCUMENT:
            for part in plain(clause.quote).split(" : "):
                assert part in page, clause.id


_PAGE = """
Si vous êtes agent de l'Education nationale en poste dans l'une des trois académies franciliennes, la connexion se fait
via le portail ARENA avec vos identifiants académiques. Un lien vers Imagin se trouve à la rubrique « Examens et
concours ». Dans tous les autres cas (enseignant hors Ile-de-France, agent d'un autre ministère, formateur en CFA,
inspecteur général, professionnel, surveillant...), l'accès à Imagin est direct. Votre identifiant est alors toujours
appelé sous l'entête de la convocation ainsi, éventuellement, qu'un mot de passe provisoire. Enseignant dans un
établissement public ou privé sous contrat Créteil Paris Versailles Autre académie Intervenant extérieur à l'Education
nationale (ou n'ayant pas d'email académique) Il est possible de retrouver votre identifiant et/ou de réinitialiser le
mot de passe à l'adresse ci-dessous (votre numen est requis).
""".replace("\n", " ")
"""The rules of the page, as it prints them."""
