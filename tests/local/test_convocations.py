"""The list of an exam session: read whole, checked whole, written whole or not at all."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagin_gateway.errors import Code, ImportRefused, LineProblem, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local.checked_list import CheckedList, Step
from imagin_gateway.local.door import CredentialsRefused, DirectDoor, ImportReport, Letter, LetterKind
from imagin_gateway.local.letters import LettersCsv, neutral
from imagin_gateway.local.lifecycle import AccountState, Act
from imagin_gateway.local.list_reader import Row
from imagin_gateway.local.schema import accounts, outbox
from tests.local.conftest import LIST, Office
from tests.local.helper import ADDRESS, GOOD, Imported, import_list

DATA = Path(__file__).parents[1] / "data"

NUMEN = "« Identifiant » ressemble à un NUMEN, qui est confidentiel et ne sert pas d’identifiant"

ABRIDGED = "« Identifiant » est un nombre que le tableur a abrégé : mettre la colonne au format « Texte »"

LOST = "a perdu ses lettres accentuées : exporter la liste de nouveau, en « CSV UTF-8 »"

HEADER = "Identifiant;Nom;Prénom;Courriel\n"


@pytest.fixture
def door(open_office: Callable[..., Office]) -> DirectDoor:
    return open_office().door


@pytest.fixture
def listing(tmp_path: Path) -> Callable[..., Path]:
    """Write a list and return its path."""

    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "list.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def problems(path: Path) -> list[str]:
    """Return what is wrong with a list, told as to an operator."""
    try:
        with CheckedList(path) as checked:
            assert checked.problem_count == len(checked.problems)
            return [plain(problem) for problem in checked.problems]
    except ImportRefused as refused:
        return [plain(problem) for problem in refused.problems]


def rows(path: Path) -> list[Row]:
    """Return the rows of a list without problems."""
    with CheckedList(path) as checked:
        assert not checked.problems
        return [row for batch in checked.batches(100) for row in batch]


def plain(problem: LineProblem) -> str:
    """Return what is told, its no-break spaces shown as spaces."""
    return str(problem).replace("\u00a0", " ")


def counts(report: Imported | ImportReport) -> tuple[int, int, int]:
    return (report.created, report.updated, report.unchanged)


# -- real files --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "people", "first"),
    [("convocations-utf8-bom.csv", 30, "ŒUVRARD"), ("convocations-cp1252.csv", 40, "ROUX")],
    ids=["utf-8", "cp1252"],
)
def test_the_lists_of_the_office_are_read(door: DirectDoor, name: str, people: int, first: str) -> None:
    report = import_list(door, DATA / name)
    assert counts(report) == (people, 0, 0)
    assert report.issued == people
    assert report.letters[0].family_name == first
    assert not report.problems
    found = door.find("mcelik")
    assert found is not None
    assert (found.family_name, found.given_name) == ("ÇELIK", "Maëlle")
    assert (found.email, found.situation) == ("maelle.celik@exemple.test", "inspecteur général")
    assert (found.academie, found.office) == ("Corse", "DEC 4 - concours")
    assert found.state is AccountState.PROVISIONAL


def test_two_lists_that_share_people_make_each_account_once(door: DirectDoor) -> None:
    first = import_list(door, DATA / "convocations-utf8-bom.csv")
    second = import_list(door, DATA / "convocations-cp1252.csv")
    assert counts(first) == (30, 0, 0)
    assert counts(second) == (30, 0, 10)
    assert {letter.kind for letter in second.letters[-10:]} == {LetterKind.SENT}


def test_the_same_list_again_changes_nothing(door: DirectDoor, office: Office, listing: Callable[..., Path]) -> None:
    before = office.rows(accounts)
    report = import_list(office.door, listing(LIST))
    assert counts(report) == (0, 0, 3)
    assert report.issued == 0
    assert office.rows(accounts) == before
    assert all(letter.provisional is None for letter in report.letters)
    assert office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS).must_choose


# -- who gets a provisional password -----------------------------------------


def test_who_has_chosen_a_password_gets_none_even_when_asked_to_issue_again(
    office: Office, listing: Callable[..., Path]
) -> None:
    office.personalise("mdurand7")
    before = office.account("mdurand7")
    for reissue in (False, True):
        report = import_list(office.door, listing(LIST), reissue=reissue)
        letter = next(each for each in report.letters if each.identifier == "mdurand7")
        assert (letter.kind, letter.provisional, letter.last_day) == (LetterKind.CHOSEN, None, None)
        assert report.personalised == 1
    assert office.account("mdurand7") == before
    assert not office.door.check("mdurand7", GOOD, address=ADDRESS).must_choose


def test_a_provisional_password_that_opens_nothing_any_more_is_replaced(
    office: Office, listing: Callable[..., Path]
) -> None:
    office.act("pmartin2", Act.LOCK)
    office.clock.move(22 * 24 * 3600)
    report = import_list(office.door, listing(LIST))
    assert report.issued == 3
    fresh = {letter.identifier: letter.provisional for letter in report.letters}
    for identifier in ("mdurand7", "pmartin2"):
        assert fresh[identifier] is not None
        assert office.door.check(identifier, fresh[identifier] or Secret(""), address=ADDRESS).must_choose


def test_a_disabled_account_gets_no_letter_and_stays_closed(office: Office, listing: Callable[..., Path]) -> None:
    office.act("mdurand7", Act.DISABLE)
    report = import_list(office.door, listing(LIST), reissue=True)
    assert report.disabled == 1
    assert "mdurand7" not in {letter.identifier for letter in report.letters}
    assert office.account("mdurand7").state is AccountState.DISABLED


def test_details_that_changed_are_updated_and_empty_cells_and_missing_columns_say_nothing(
    office: Office, listing: Callable[..., Path]
) -> None:
    report = import_list(
        office.door, listing("Nom;IDENTIFIANT;Courriel\nDURAND-PETIT;MDURAND7;\nMARTIN;pmartin2;p@m.fr\n")
    )
    assert counts(report) == (0, 2, 0)
    found = office.door.find("mdurand7")
    assert found is not None
    assert found.identifier == "mdurand7"
    assert (found.family_name, found.given_name, found.email) == ("DURAND-PETIT", "Marie", "marie.durand@exemple.test")
    found = office.door.find("pmartin2")
    assert found is not None
    assert (found.email, found.academie) == ("p@m.fr", "Lyon")


def test_an_address_in_other_capitals_is_the_same_address(office: Office, listing: Callable[..., Path]) -> None:
    """Else its owner would be told that their address had changed, and a link just mailed to them would be dead."""
    office.personalise("mdurand7")
    before = office.rows(outbox), office.rows(accounts)
    path = listing("Identifiant;Nom;Courriel\nmdurand7;DURAND;Marie.DURAND@Exemple.test\n")
    assert counts(import_list(office.door, path)) == (0, 0, 1)
    assert (office.rows(outbox), office.rows(accounts)) == before
    import_list(office.door, listing("Identifiant;Nom;Courriel\nmdurand7;DURAND;marie.durand2@exemple.test\n"))
    assert len(office.rows(outbox)) == len(before[0]) + 2


@pytest.mark.parametrize(
    ("family_name", "given_name", "renamed"),
    [
        ("MARTIN", "Paul", True),
        ("MARTIN", "Marie", False),
        ("Marie", "DURAND", False),
        ("DURAND MARTIN", "Anne", False),
        ("MARTIN", "", False),
        ("durand", "MARIE", False),
    ],
)
def test_an_identifier_that_may_be_another_person_s_is_told(
    office: Office, listing: Callable[..., Path], family_name: str, given_name: str, renamed: bool
) -> None:
    """The password of whoever had it opens the account still."""
    report = import_list(office.door, listing(f"Identifiant;Nom;Prénom\nmdurand7;{family_name};{given_name}\n"))
    assert (report.renamed, report.renamed_lines) == ((1, (2,)) if renamed else (0, ()))


def test_whoever_had_no_given_name_may_have_married(office: Office, listing: Callable[..., Path]) -> None:
    import_list(office.door, listing("Identifiant;Nom\nsans;DURAND\n"))
    assert import_list(office.door, listing("Identifiant;Nom;Prénom\nsans;MARTIN;Anne\n")).renamed == 0


def test_the_identifier_stays_as_first_written(office: Office, listing: Callable[..., Path]) -> None:
    import_list(office.door, listing("Identifiant;Nom\n MDurand7 ;DURAND\n"))
    assert office.account("mdurand7").identifier == "mdurand7"
    assert len(office.rows(accounts)) == 3


# -- how files are written ---------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "separator", "newline"),
    [
        ("utf-8", ";", "\n"),
        ("utf-8", ",", "\r\n"),
        ("utf-8-sig", ";", "\r\n"),
        ("utf-8-sig", ",", "\n"),
        ("cp1252", ";", "\r\n"),
        ("cp1252", ",", "\n"),
        ("latin-1", ";", "\n"),
    ],
)
def test_encodings_separators_and_ends_of_line(
    listing: Callable[..., Path], encoding: str, separator: str, newline: str
) -> None:
    lines = ["Prénom;Académie d’origine;NOM; identifiant ", "Élodie;La Réunion;LEFÈVRE;elefevre"]
    if encoding == "latin-1":
        lines[0] = lines[0].replace("’", "'")
    (row,) = rows(listing(newline.join(lines).replace(";", separator) + newline, encoding))
    assert dict(row.values) == {
        "given_name": "Élodie",
        "academie": "La Réunion",
        "family_name": "LEFÈVRE",
        "identifier": "elefevre",
    }


@pytest.mark.parametrize(
    "header",
    [
        "Identifiant;Nom;Académie d'origine",
        "IDENTIFIANT;NOM;ACADEMIE D’ORIGINE",
        "identifiant;nom;academie  d origine",
        '"Identifiant";"Nom";"Académie d\u2019origine"',
        "Identifiant;Nom;Acade\u0301mie d\u00b4origine",
    ],
)
def test_column_names_are_read_without_case_accents_and_quotes(listing: Callable[..., Path], header: str) -> None:
    (row,) = rows(listing(f"{header}\na;b;c\n"))
    assert row.values["academie"] == "c"


def test_columns_nobody_asked_for_are_named_and_not_kept(office: Office, listing: Callable[..., Path]) -> None:
    report = import_list(office.door, listing("NUMEN;Identifiant;Salle;Nom\n01E9501234ABC;nouveau;B12;PETIT\n"))
    assert report.ignored_columns == ("NUMEN", "Salle")
    assert not [row for row in office.rows(accounts) if "01E95" in str(row) or "B12" in str(row)]


def test_a_character_cut_by_the_reading_buffer_is_read(listing: Callable[..., Path]) -> None:
    filler = "x" * 50
    lines = "".join(f"id{number};é{filler}é\n" for number in range(25_000))
    path = listing("Identifiant;Nom\n" + lines)
    assert path.stat().st_size > 1 << 20
    assert len(rows(path)) == 25_000


def test_blank_lines_are_passed_and_counted(listing: Callable[..., Path]) -> None:
    assert problems(listing("Identifiant;Nom\n\na;b\n;\n\n;x\n")) == ["ligne 6 : « Identifiant » est vide"]


# -- what is refused ---------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (";DURAND;;", "« Identifiant » est vide"),
        ("a;;;", "« Nom » est vide"),
        ("a;b;c", "3 champs au lieu de 4"),
        ("a;b;c;;", "5 champs au lieu de 4"),
        ("a\x00;b;;", "« Identifiant » contient un caractère de contrôle ou invisible"),
        ("a;b\x1b[31m;;", "« Nom » contient un caractère de contrôle ou invisible"),
        ("a;b\tc;;", "« Nom » contient un caractère de contrôle ou invisible"),
        ("a;b\u202ec;;", "« Nom » contient un caractère de contrôle ou invisible"),
        ("a\u200b;b;;", "« Identifiant » contient un caractère de contrôle ou invisible"),
        ('a;"b\nc";;', "« Nom » contient un caractère de contrôle ou invisible"),
        (f"{'a' * 65};b;;", "« Identifiant » dépasse 64 caractères"),
        (f"a;{'b' * 101};;", "« Nom » dépasse 100 caractères"),
        ("a;b;;pas une adresse", "« Courriel » n’est pas une adresse électronique"),
        ("a;b;;a@b.fr,c@d.fr", "« Courriel » n’est pas une adresse électronique"),
        (
            "01E9501234ABC;b;;",
            "« Identifiant » ressemble à un NUMEN, qui est confidentiel et ne sert pas d’identifiant",
        ),
        (
            "01e95 01234 abc;b;;",
            "« Identifiant » ressemble à un NUMEN, qui est confidentiel et ne sert pas d’identifiant",
        ),
        ("BON;b;;", "même identifiant qu’à la ligne 2"),
        (" bon ;b;;", "même identifiant qu’à la ligne 2"),
        ("1,23457E+11;b;;", ABRIDGED),
        ("1.2E+15;b;;", ABRIDGED),
        ("a;#N/A;;", "« Nom » est une erreur de formule du tableur"),
        ("a;b;#NOM?;", "« Prénom » est une erreur de formule du tableur"),
        ("a;b;;#REF!", "« Courriel » est une erreur de formule du tableur"),
        ("Err:508;b;;", "« Identifiant » est une erreur de formule du tableur"),
        ("Identifiant;Nom;Prénom;Courriel", "la ligne d’en-tête figure une seconde fois : la retirer"),
        ("IDENTIFIANT;NOM;;", "la ligne d’en-tête figure une seconde fois : la retirer"),
        ('a;"b"c;;', "guillemets mal fermés, ou champ trop long"),
        ('a;"b;;', "guillemets mal fermés, ou champ trop long"),
        (f"a;{'b' * 140_000};;", "guillemets mal fermés, ou champ trop long"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_a_reason_that_quotes_nothing(
    listing: Callable[..., Path], line: str, reason: str
) -> None:
    assert problems(listing(HEADER + "bon;BON;;\n" + line + "\n")) == [f"ligne 3 : {reason}"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ligne 1 : le fichier est vide"),
        ("\n", "ligne 1 : la ligne d’en-tête est vide"),
        ("sep=;\r\n", "ligne 2 : le fichier est vide"),
        ("sep=;\r\nNom;Prénom\r\na;b\r\n", "ligne 2 : la colonne « Identifiant » manque"),
        ("sep=|\r\nIdentifiant|Nom\r\na|b\r\n", "ligne 1 : la colonne « Identifiant » manque"),
        (
            "Identifiant\tNom\na\tb\n",
            "ligne 1 : les champs sont séparés par des tabulations : l’enregistrer en « CSV »",
        ),
        ("Nom;Prénom\na;b\n", "ligne 1 : la colonne « Identifiant » manque"),
        ("Identifiant;Prénom\na;b\n", "ligne 1 : la colonne « Nom » manque"),
        ("Identifiant;Nom;nom\na;b;c\n", "ligne 1 : la colonne « Nom » figure deux fois"),
    ],
)
def test_a_header_that_cannot_do_is_told(listing: Callable[..., Path], text: str, reason: str) -> None:
    assert reason in problems(listing(text))


@pytest.mark.parametrize("separator", [";", ","])
def test_the_line_a_spreadsheet_writes_for_itself_is_no_header(listing: Callable[..., Path], separator: str) -> None:
    rows = ["sep=;", "Identifiant;Nom;Prénom", "bon;BON;A, B" if separator == ";" else "bon;BON;B", ";VIDE;"]
    text = "".join(row.replace(";", separator) + "\r\n" for row in rows)
    assert problems(listing(text)) == ["ligne 4 : « Identifiant » est vide"]


@pytest.mark.row("HSH-06")
@pytest.mark.parametrize("column", ["Mot de passe", "PASSWORD", "hash", "Mot de passe provisoire"])
def test_a_list_that_brings_passwords_in_any_form_is_refused(
    office: Office, listing: Callable[..., Path], column: str
) -> None:
    before = office.rows(accounts)
    for value in ("motdepasse", "5f4dcc3b5aa765d61d8327deb882cf99", "{SSHA}x", "$argon2id$v=19$m=8,t=1,p=1$c2E$aGE"):
        path = listing(f"Identifiant;Nom;{column}\nmdurand7;DURAND;{value}\n")
        with pytest.raises(ImportRefused, match="mots de passe ne s’importe pas") as caught:
            import_list(office.door, path, skip_bad=True)
        assert value not in str(caught.value)
    assert office.rows(accounts) == before


def test_files_in_no_encoding_of_ours_are_told(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(codecs.BOM_UTF16_LE + HEADER.encode("utf-16-le"))
    assert problems(path) == ["ligne 1 : le fichier est en UTF-16 : l’enregistrer en « CSV UTF-8 »"]
    for without_mark in ("utf-16-le", "utf-16-be"):
        path.write_bytes(HEADER.encode(without_mark))
        assert problems(path) == ["ligne 1 : le fichier est en UTF-16 : l’enregistrer en « CSV UTF-8 »"]
    path.write_bytes(b"Identifiant;Nom\na;\x81\n")
    told = "ligne 1 : le fichier n’est ni en UTF-8 ni en Windows-1252 : l’enregistrer en « CSV UTF-8 »"
    assert problems(path) == [told]
    assert problems(tmp_path / "absent.csv") == ["le fichier ne peut pas être lu"]


def test_last_columns_that_excel_leaves_out_of_sixteen_rows_are_empty(listing: Callable[..., Path]) -> None:
    def of(*lengths: int) -> str:
        return "".join(";".join([f"id{row}", "NOM", "Zoé", ""][:length]) + "\r\n" for row, length in enumerate(lengths))

    header = "Identifiant;Nom;Prénom;Courriel\r\n"
    taken = rows(listing(header + of(*[4] * 15, *[3] * 16, *[4] * 16, *[2] * 3)))
    assert len(taken) == 50
    assert [taken[place].values["email"] for place in (14, 15, 30, 31, 49)] == [""] * 5
    assert [taken[place].values["given_name"] for place in (46, 47)] == ["Zoé", ""]
    # One that is shorter than its neighbours was cut, and so may be those that are shorter than the header beside them.
    for lengths in ([*[4] * 15, *[3] * 7, 2, *[3] * 8], [*[4] * 14, 3], [*[4] * 15, *[3] * 8, 5], [3] * 15):
        assert problems(listing(header + of(*lengths))), lengths
    # Nor is one that the end of the file cuts, though it has no neighbours.
    path = listing(header + of(*[4] * 15, 2))
    assert not problems(path)
    path.write_bytes(path.read_bytes().rstrip())
    assert problems(path) == ["ligne 17 : 2 champs au lieu de 4"]


@pytest.mark.parametrize("encoding", ["cp850", "cp437", "mac_roman"])
@pytest.mark.parametrize("column", ["Prénom", "Qualité", "Académie d’origine"])
def test_a_list_of_another_age_is_told_by_its_columns_and_no_name_is_changed(
    tmp_path: Path, encoding: str, column: str
) -> None:
    path = tmp_path / "list.csv"
    text = f"Identifiant;Nom;{column}\r\na;Léger;é\r\n".replace("’", "'")
    path.write_bytes(text.encode(encoding))
    what = "« CSV (MS-DOS) » ou « CSV (Macintosh) »"
    assert problems(path) == [f"ligne 1 : le fichier est en {what} : l’enregistrer en « CSV UTF-8 »"]
    path.write_bytes(text.encode("cp1252"))
    assert problems(path) == []
    # A column of theirs, whose name has another accent, is theirs.
    path.write_bytes("Identifiant;Nom;Téléphone\r\na;Léger;é\r\n".encode("cp1252"))
    assert problems(path) == []


@pytest.mark.parametrize("header", ["Identifiant;Nom;Prénom", "Identifiant;Nom;Qualité", HEADER.strip()])
@pytest.mark.parametrize(
    ("wrote", "read"), [("utf-8", "cp1252"), ("cp1252", "utf-8"), ("cp1252", "ascii")], ids=["twice", "signs", "ascii"]
)
def test_a_list_that_was_read_wrongly_before_it_came_is_told_by_its_columns(
    listing: Callable[..., Path], header: str, wrote: str, read: str
) -> None:
    path = listing(f"{header}\r\na;Léger;é\r\n".encode(wrote).decode(read, "replace"))
    told = "le fichier a perdu ses lettres accentuées : l’exporter de nouveau, en « CSV UTF-8 »"
    assert problems(path) == [f"ligne 1 : {told}"]


@pytest.mark.parametrize("family_name", ["ROUX-LÉGER", "LEBŒUF", "L’HAŸ", "Ô", "Ûr"])
@pytest.mark.parametrize(
    ("wrote", "read"),
    [("utf-8", "cp1252"), ("cp1252", "utf-8"), ("ascii", "ascii"), ("iso-8859-15", "cp1252")],
    ids=["twice", "signs", "ascii", "latin-9"],
)
def test_a_name_that_was_read_wrongly_before_it_came_is_told_and_printed_on_no_letter(
    tmp_path: Path, family_name: str, wrote: str, read: str
) -> None:
    path = tmp_path / "list.csv"
    text = f"Identifiant;Nom\r\na;{family_name}\r\n"
    if wrote == "iso-8859-15":
        path.write_bytes(text.replace("’", "'").encode(wrote))
        if not set(family_name) & {"Œ", "Ÿ"}:
            # The other letters are the same in both.
            assert problems(path) == []
            return
    elif wrote == "ascii":
        path.write_bytes(text.encode(wrote, "replace"))
        if family_name == "Ô":
            # Nothing shows: « ? » alone may be what somebody wrote.
            assert problems(path) == []
            return
    else:
        path.write_bytes(text.encode(wrote).decode(read, "replace").encode())
    assert problems(path) == [f"ligne 2 : « Nom » {LOST}"]


@pytest.mark.parametrize("value", ["AcadÃ©mie", "#REF!", "Err:508"])
def test_damage_is_told_in_a_column_that_is_only_printed(listing: Callable[..., Path], value: str) -> None:
    (told,) = problems(listing(f"Identifiant;Nom;Service gestionnaire\na;b;{value}\n"))
    assert told.startswith("ligne 2 : « Service gestionnaire » ")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_signs_that_look_like_damage_and_are_none_are_taken(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "list.csv"
    values = "JOÃO;Åse;;IRMÃ LUCIA;½ journée;« SANTÉ »–É’ n° 2 ?"
    header = "Nom;Prénom;Courriel;Qualité;Académie d’origine;Service gestionnaire"
    path.write_bytes(f"Identifiant;{header}\r\nnom;{values}\r\n#1;NOM;;;;;\r\n1E5;NOM;;;;;\r\n".encode(encoding))
    assert [row.values["family_name"] for row in rows(path)] == ["JOÃO", "NOM", "NOM"]


def test_a_header_with_cells_of_several_lines_is_read(office: Office, listing: Callable[..., Path]) -> None:
    path = listing('Identifiant;Nom;"Service\ngestionnaire";"Adresse\r\npostale"\r\na;b;DEC 2;"1 rue\nX"\r\n;b;;\r\n')
    assert problems(path) == ["ligne 6 : « Identifiant » est vide"]
    report = import_list(office.door, path, skip_bad=True)
    assert report.ignored_columns == ("Adresse postale",)
    assert [letter.office for letter in report.letters] == ["DEC 2"]
    assert problems(listing('Identifiant;"Nom\na;b\n')) == ["ligne 1 : la ligne d’en-tête ne peut pas être lue"]


@pytest.mark.parametrize("start", ["<html><body>", "\ufeff<!DOCTYPE html>", "\r\n<table>", "<?xml version='1.0'?>"])
def test_a_page_under_the_name_of_a_list_is_told(listing: Callable[..., Path], start: str) -> None:
    told = "ligne 1 : le fichier est une page (HTML ou XML), pas une liste : l’enregistrer en « CSV UTF-8 »"
    assert problems(listing(start + "<tr><td>Identifiant;Nom</td></tr>")) == [told]


@pytest.mark.parametrize("start", [b"PK\x03\x04\x14\x00", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_the_workbook_itself_is_told(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(start + bytes(500))
    told = "ligne 1 : le fichier est un classeur, pas une liste : l’enregistrer en « CSV UTF-8 »"
    assert problems(path) == [told]


def test_one_bad_line_stops_everything_and_every_bad_line_is_told(
    office: Office, listing: Callable[..., Path], tmp_path: Path
) -> None:
    path = listing(HEADER + "nouveau;NOUVEAU;;\n;VIDE;;\nmdurand7;AUTRE;;\nx;y;;pas une adresse\n")
    before = office.rows(accounts)
    with pytest.raises(ImportRefused) as caught:
        import_list(office.door, path, letters_to=tmp_path / "letters.csv")
    assert caught.value.code is Code.IMPORT
    assert [problem.line for problem in caught.value.problems] == [3, 5]
    assert office.rows(accounts) == before
    assert not (tmp_path / "letters.csv").exists()
    assert not office.lines


def test_bad_lines_are_left_out_when_asked(office: Office, listing: Callable[..., Path]) -> None:
    path = listing(HEADER + "nouveau;NOUVEAU;;\n;VIDE;;\nmdurand7;AUTRE;;\nx;y;;pas une adresse\n")
    report = import_list(office.door, path, skip_bad=True, actor="root@poste")
    assert counts(report) == (1, 1, 0)
    assert [plain(problem) for problem in report.problems] == [
        "ligne 3 : « Identifiant » est vide",
        "ligne 5 : « Courriel » n’est pas une adresse électronique",
    ]
    assert office.door.find("x") is None
    (event,) = office.named("accounts_imported")
    assert event["actor"] == "root@poste"
    assert event["detail"] == {"created": 1, "updated": 1, "unchanged": 0, "issued": 1, "run": event["detail"]["run"]}


def test_what_was_checked_is_what_is_written_even_if_the_list_changes_meanwhile(
    office: Office, listing: Callable[..., Path]
) -> None:
    path = listing(HEADER + "nouveau;NOUVEAU;;\n")
    with CheckedList(path) as checked:
        path.write_text(HEADER + "nouveau;AUTRE;;\n;VIDE;;\n", encoding="utf-8")
        ((row,),) = checked.batches(10)
    assert row.values["family_name"] == "NOUVEAU"


@pytest.mark.parametrize("after", [0, 500, 1000])
def test_an_import_that_is_interrupted_leaves_nothing_and_a_second_run_does_all(
    office: Office, listing: Callable[..., Path], tmp_path: Path, after: int
) -> None:
    path = listing("Identifiant;Nom\n" + "".join(f"id{number};NOM\n" for number in range(1200)))
    letters = tmp_path / "letters.csv"

    def interrupt(step: Step, done: int, total: int) -> None:
        if step is Step.WRITING:
            assert total == 1200
            if done > after:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_list(office.door, path, letters_to=letters, progress=interrupt)
    assert len(office.rows(accounts)) == 3
    assert not letters.exists()
    steps: list[tuple[Step, int]] = []
    report = import_list(
        office.door, path, letters_to=letters, progress=lambda step, done, total: steps.append((step, done))
    )
    assert counts(report) == (1200, 0, 0)
    assert [done for step, done in steps if step is Step.WRITING] == [500, 1000, 1200]
    assert steps[0] == (Step.CHECKING, path.stat().st_size)
    assert len(letters.read_text(encoding="utf-8-sig").splitlines()) == 1201


def test_letters_that_cannot_be_written_stop_the_import(
    office: Office, listing: Callable[..., Path], tmp_path: Path
) -> None:
    path = listing(HEADER + "nouveau;NOUVEAU;;\n")
    letters = tmp_path / "letters.csv"
    letters.write_text("précieux", encoding="utf-8")
    with pytest.raises(FileExistsError):
        import_list(office.door, path, letters_to=letters)
    assert letters.read_text(encoding="utf-8") == "précieux"
    with pytest.raises(OSError, match="absent"):
        import_list(office.door, path, letters_to=tmp_path / "absent" / "letters.csv")
    assert office.door.find("nouveau") is None


def test_letters_are_taken_back_when_the_database_does_not_keep_what_they_say(
    office: Office, listing: Callable[..., Path], tmp_path: Path
) -> None:
    import sqlalchemy as sa

    letters = tmp_path / "letters.csv"
    engine = office.door._database.engine

    def fail(_: object) -> None:
        parts = list(tmp_path.glob(".letters.csv.*.part"))
        if not parts:
            return  # a reading one, before
        sa.event.remove(engine, "commit", fail)
        assert not letters.exists()
        (part,) = parts
        assert len(part.read_text(encoding="utf-8-sig").splitlines()) == 2
        raise sa.exc.OperationalError("COMMIT", {}, Exception("disk full"))

    sa.event.listen(engine, "commit", fail)
    with pytest.raises(Unavailable):
        import_list(office.door, listing(HEADER + "nouveau;NOUVEAU;;\n"), letters_to=letters)
    assert not list(tmp_path.glob("*letters*"))
    assert not list(tmp_path.glob(".*.part"))
    assert office.door.find("nouveau") is None


# -- letters -----------------------------------------------------------------


def test_the_file_of_letters_is_for_its_owner_and_holds_what_is_printed(
    office: Office, listing: Callable[..., Path], tmp_path: Path
) -> None:
    office.personalise("mdurand7")
    path = tmp_path / "letters.csv"
    text = LIST + "nouveau;NOUVEAU;Léa;;;;DEC 1\n"
    report = import_list(office.door, listing(text), letters_to=path)
    assert path.stat().st_mode & 0o777 == 0o600
    raw = path.read_bytes()
    assert raw.startswith(codecs.BOM_UTF8)
    assert raw.count(codecs.BOM_UTF8) == 1
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert rows[0][:3] == ["Identifiant", "Nom", "Prénom"]
    by_identifier = {row[0]: row for row in rows[1:]}
    assert by_identifier["mdurand7"][4:6] == ["", ""]
    assert by_identifier["mdurand7"][6] == "Vous avez déjà choisi votre mot de passe."
    assert by_identifier["pmartin2"][4] == ""
    (value,) = [letter.provisional for letter in report.letters if letter.identifier == "nouveau"]
    assert value is not None
    # 21 days from 14 December 2026 at 9:00 in Paris: good all day long on the 3rd of January.
    assert by_identifier["nouveau"][3:6] == ["DEC 1", value.reveal(), "03/01/2027"]


def test_the_printed_day_is_good_to_its_last_minute_in_paris(office: Office, listing: Callable[..., Path]) -> None:
    from datetime import datetime

    from imagin_gateway.local.dates import PARIS

    letter = import_list(office.door, listing("Identifiant;Nom\nnouveau;X\n")).letters[0]
    assert letter.last_day is not None
    assert letter.provisional is not None
    end = datetime(letter.last_day.year, letter.last_day.month, letter.last_day.day, 23, 59, 59, tzinfo=PARIS)
    office.clock.move(end - office.clock.now())
    assert office.door.check("nouveau", letter.provisional, address=ADDRESS).must_choose


@pytest.mark.parametrize(
    "value", ["=1+1", "+33", "-2", "@SUM(A1)", "\tx", "\rx", " =1", "=HYPERLINK(1)", "＝1", "＋1", "－1", "＠x"]
)
def test_what_looks_like_a_formula_is_kept_as_data_and_neutralised_in_the_letters(value: str, tmp_path: Path) -> None:
    assert neutral(value) == "'" + value
    letter = Letter(identifier="a", family_name=value, given_name="", office="", kind=LetterKind.CHOSEN)
    written = io.StringIO()
    LettersCsv(written).write(letter)
    assert f'"\'{value}"' in written.getvalue()


def test_a_formula_in_the_list_is_kept_as_it_is(office: Office, listing: Callable[..., Path]) -> None:
    import_list(office.door, listing("Identifiant;Nom\n=cmd;@SUM(A1)\n"))
    found = office.door.find("=CMD")
    assert found is not None
    assert (found.identifier, found.family_name) == ("=cmd", "@SUM(A1)")


@given(st.text(max_size=30))
def test_no_value_starts_a_formula_once_neutralised(value: str) -> None:
    assert neutral(value).lstrip(" ")[:1] not in {*"=+-@\t\r\n＝＋－＠"}


def test_a_letter_prints_no_password() -> None:
    letter = Letter(
        identifier="a",
        family_name="b",
        given_name="c",
        office="d",
        kind=LetterKind.PROVISIONAL,
        provisional=Secret("K7RTM 4PXWQ 9HFDC"),
    )
    assert "K7RTM" not in repr(letter)


# -- any file ----------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_no_file_breaks_the_reader_and_every_row_is_clean(tmp_path: Path, content: bytes, headed: bool) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes((b"Identifiant;Nom\n" if headed else b"") + content)
    try:
        checked = CheckedList(path)
    except ImportRefused:
        return
    with checked:
        found = [row for batch in checked.batches(3) for row in batch]
        assert all(problem.line >= 1 and problem.reason for problem in checked.problems)
        assert len(found) == checked.total
    assert len({row.key for row in found}) == len(found)
    for row in found:
        assert row.key
        assert all(value.isprintable() and len(value) <= 254 for value in row.values.values())


@pytest.mark.parametrize(
    "identifier",
    ["' OR '1'='1", "x'; DROP TABLE accounts; --", "%", "_durand7", "\\", '"', "${jndi:x}", "{{7*7}}", "𝕞"],
)
def test_hostile_identifiers_are_only_text(office: Office, tmp_path: Path, identifier: str) -> None:
    assert office.door.find(identifier) is None
    with pytest.raises(CredentialsRefused):
        office.door.check(identifier, GOOD, address=ADDRESS)
    path = tmp_path / "hostile.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["Identifiant", "Nom"], [identifier, identifier]])
    letter = import_list(office.door, path).letters[0]
    assert letter.provisional is not None
    checked = office.door.check(identifier, letter.provisional, address=ADDRESS)
    assert checked.account.identifier == checked.account.family_name == identifier
    assert len(office.rows(accounts)) == 4
