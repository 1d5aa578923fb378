"""`imagin-gateway events` as the operator who must explain last night uses it."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from imagin_gateway.cli.following import follow
from imagin_gateway.cli.moments import moment
from imagin_gateway.cli.root import app
from imagin_gateway.cli.sessions import issuer_of
from imagin_gateway.clock import SystemClock
from imagin_gateway.errors import Code
from imagin_gateway.events import Event, EventLog, EventName, FileSink
from imagin_gateway.events.kinds import FACTS
from imagin_gateway.events.reading import Record
from imagin_gateway.events.telling import WORDED, Words
from imagin_gateway.flows.telling import _BY_DETAIL
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.factors import FactorKind
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.opening import open_events, open_stores
from imagin_gateway.settings import Settings
from tests.cli.test_commands import LIST, SETTINGS
from tests.clock import ManualClock

NIGHT = datetime(2026, 12, 13, 21, 0, tzinfo=UTC)
"""Ten in the evening in Paris."""


class Office:
    """A folder with settings, events of one night, and somebody at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "gateway.toml"
        text = SETTINGS.format(**{name: secrets.token_urlsafe(48) for name in ("signing", "provisional", "secret")})
        self.file.write_text(text.replace('path = "events.jsonl"', 'path = "e-{day}.jsonl"'), encoding="utf-8")
        self.settings = Settings.load(self.file)
        self.clock = ManualClock(NIGHT)
        self.log: EventLog = open_events(self.settings, self.clock)

    def tell(self, name: EventName, code: Code | None = None, who: str = "", minutes: int = 1, **more: Any) -> None:
        self.clock.move(timedelta(minutes=minutes))
        person = (DIRECT_ISSUER, who) if who else None
        self.log.emit(Event(name=name, code=code, person=person, door="direct", **more))

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "-s", str(self.file)], env={"COLUMNS": "200"})

    def events(self, *words: str) -> str:
        done = self.run("events", *words)
        assert done.exit_code == 0, done.output
        return done.stdout.replace("\u00a0", " ").replace("’", "'")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    wrong = {"reason": "wrong"}
    made.tell(EventName.LOGIN_REFUSED, Code.CREDENTIALS, "mdurand7", address="192.0.2.7", detail=wrong)
    made.tell(EventName.LOGIN_REFUSED, Code.CREDENTIALS, "pmartin2", address="192.0.2.9", detail=wrong)
    made.tell(EventName.LOGIN_REFUSED, Code.CREDENTIALS, "MDurand7 ", address="192.0.2.7", detail=wrong)
    made.tell(EventName.RESET_ASKED, None, "mdurand7", detail={"mailed": True})
    made.tell(EventName.MAIL_SENT, None, "mdurand7", detail={"mail": "reset", "attempt": 0})
    made.tell(EventName.PASSWORD_CHOSEN, None, "mdurand7", minutes=90, detail={"how": "reset"})
    made.tell(EventName.LOGIN, None, "mdurand7", method="password", correlation="R-7K4M-2QXP")
    made.log.emit(
        Event(name=EventName.PORTAL_FAILED, code=Code.PORTAL_UNAVAILABLE, door="arena-paris", address="2001:db8::7")
    )
    return made


def test_what_happened_to_a_person_last_night_is_said_in_words(office: Office) -> None:
    told = office.events("--person", "mdurand7", "--since", "2026-12-13T20:00", "--until", "2026-12-14T08:00")
    lines = [line.partition("  [")[0] for line in told.splitlines()]
    assert lines == [
        "13/12/2026",
        "  22:01:00  Connexion refusée : le mot de passe n'est pas le bon",
        "  22:03:00  Connexion refusée : le mot de passe n'est pas le bon",
        "  22:04:00  Mot de passe oublié : demande enregistrée",
        "  22:05:00  Courriel parti (lien pour choisir un mot de passe)",
        "  23:35:00  Mot de passe choisi (lien reçu par courriel)",
        "  23:36:00  Connexion réussie",
        "En bref : "
        + " ; ".join(
            [
                "Connexion refusée : le mot de passe n'est pas le bon (2 fois)",
                "Mot de passe oublié : demande enregistrée",
                "Courriel parti (lien pour choisir un mot de passe)",
                *("Mot de passe choisi (lien reçu par courriel)", "Connexion réussie"),
            ]
        ),
    ]
    assert "192.0.2.7" in told
    assert "R-7K4M-2QXP" in told
    assert "pmartin" not in told
    english = office.events("--person", "mdurand7", "--language", "en")
    assert "Sign-in refused: the password is not the right one" in english
    # Who looked is written; what they typed is not.
    (looked, _) = [json.loads(line) for line in _today(office) if '"events_read"' in line]
    assert looked["actor"].startswith("cli:")
    assert looked["person"] == office.log.pseudonym((DIRECT_ISSUER, "mdurand7"))
    assert looked["detail"] == {"filters": "person,since,until", "found": 6}
    assert "mdurand7" not in "".join(_today(office))


def _today(office: Office) -> list[str]:
    return (office.folder / f"e-{datetime.now(UTC):%Y-%m-%d}.jsonl").read_text().splitlines()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--failures"], 4),
        (["--code", "direct.credentials"], 3),
        (["--kind", "login", "--kind", "mail_sent"], 2),
        (["--door", "arena-paris"], 1),
        (["--reference", "r-7k4m-2qxp"], 1),
        (["--reference", "7K4M-2QXP"], 1),
        (["--reference", "r7k4m2qxp"], 1),
        (["--reference", " R \u2011 7k4m 2qxp "], 1),
        (["--reference", "R7K4-M2QX"], 0),
        (["--address", "192.0.2.9"], 1),
        (["--address", "::ffff:192.0.2.9"], 1),
        (["--address", " 2001:DB8:0::7"], 1),
        (["--since", "2026-12-13T23:30", "--until", "2026-12-13T23:36"], 1),
        (["--kind", "login", "--address", "192.0.2.9"], 0),
    ],
)
def test_filters_are_all_held_and_json_gives_the_lines_as_they_stand(
    office: Office, words: list[str], found: int
) -> None:
    told = office.events("--json", *words).splitlines()
    assert len(told) == found
    written = (office.folder / "e-2026-12-13.jsonl").read_text().splitlines()
    assert set(told) <= set(written)


def test_a_person_is_found_by_pseudonym_under_a_former_key_and_named_only_by_who_holds_it(office: Office) -> None:
    former = office.log.pseudonym((DIRECT_ISSUER, "mdurand7"))
    listing = office.folder / "list.csv"
    listing.write_text(LIST, encoding="utf-8")
    assert office.run("accounts", "upgrade").exit_code == 0
    with_accounts = open_stores(office.settings)
    with_accounts.direct.lists.import_list(listing, each=lambda _letter: None)
    with_accounts.close()
    text = office.file.read_text(encoding="utf-8")
    office.file.write_text(
        text.replace("signing = [", f'signing = ["{secrets.token_urlsafe(48)}", ').replace("\n", "\n")
    )
    assert "Connexion réussie" in office.events("--pseudonym", former)
    rotated = text.replace("]\nprovisional", f', "{secrets.token_urlsafe(48)}"]\nprovisional')
    office.file.write_text(rotated, encoding="utf-8")
    assert "Connexion réussie" in office.events("--person", "mdurand7")
    assert office.events("who", former).split() == ["mdurand7", f"({DIRECT_ISSUER})"]
    assert office.run("events", "who", "0" * 20).exit_code == 1
    opened = [json.loads(line) for line in _today(office) if "pseudonym_opened" in line]
    assert [each["detail"]["found"] for each in opened] == [1, 0]


def test_a_key_of_its_own_keeps_pseudonyms_through_a_rotation_of_the_others(tmp_path: Path) -> None:
    office = Office(tmp_path)
    own = f'events = ["{secrets.token_urlsafe(48)}"]\nprovisional'
    text = office.file.read_text(encoding="utf-8").replace("provisional", own, 1)
    person = (DIRECT_ISSUER, "mdurand7")
    told = set()
    for _ in range(2):
        signing = f'signing = ["{secrets.token_urlsafe(48)}"]'
        office.file.write_text("\n".join(signing if "signing" in line else line for line in text.splitlines()))
        told.add(open_events(Settings.load(office.file)).pseudonym(person))
    assert len(told) == 1


@pytest.mark.parametrize("typed", ["mdurand7", " MDurand7\u00a0", "É.Straße", "e\u0301.strasse", "ﬁ7"])
def test_a_pseudonym_is_of_the_identifier_as_accounts_compare_it(office: Office, typed: str) -> None:
    key = identifier_key(typed)
    assert office.log.pseudonym((DIRECT_ISSUER, typed)) == office.log.pseudonym((DIRECT_ISSUER, key))


def test_a_cut_file_is_read_up_to_the_cut_which_is_said_and_rotated_files_are_read(office: Office) -> None:
    day = office.folder / "e-2026-12-13.jsonl"
    earlier = office.folder / "e-2026-12-12.jsonl.gz"
    earlier.write_bytes(gzip.compress(day.read_bytes().replace(b"2026-12-13", b"2026-12-12")))
    raw = day.read_bytes()
    day.write_bytes(raw[: raw.rindex(b"{") + 25])
    done = office.run("events", "--kind", "login", "--json")
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 2
    assert f"{day}, ligne 8 : le fichier est coupé là" in done.stderr.replace("\u00a0", " ")


def test_nothing_written_outside_reaches_the_terminal_as_it_is(office: Office) -> None:
    office.tell(EventName.LOGIN, None, "x", address="\x1b[31m\u202e1\r2")
    told = office.events("--kind", "login")
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "?[31m?1?2" in told


def test_what_a_mail_relay_answered_is_shown_as_text(office: Office) -> None:
    office.tell(EventName.MAIL_FAILED, None, "x", detail={"mail": "reset", "error": "550 \x1b]0;a\x07\nb\u202e"})
    told = office.events("--kind", "mail_failed")
    assert "550 ?]0;a??b?" in told
    assert "\x1b" not in told


def test_an_address_is_shown_as_it_is(office: Office) -> None:
    office.tell(EventName.LOGIN, None, "x", address="2001:db8:a:b:ab:cl::7")
    assert "2001:db8:a:b:ab:cl::7" in office.events("--kind", "login")


def test_what_does_not_exist_is_refused_with_a_sentence(office: Office) -> None:
    for words in (["--kind", "logim"], ["--code", "x"], ["--since", "demain"], ["--language", "de"]):
        assert office.run("events", *words).exit_code == 2, words
    for typed in ("R-7K4M-2QX", "R-7K4M-2QXPP", "X-7K4M-2QXP", "R-7K4M-2QX0", "R-OIL1-2QXP", "R_7K4M_2QXP"):
        done = office.run("events", "--reference", typed)
        assert (done.exit_code, "pas une référence" in done.stderr) == (2, True), typed
    for typed in ("192.0.2", "192.0.2.0/24", "poste-7"):
        done = office.run("events", "--address", typed)
        assert (done.exit_code, "pas une adresse IP" in done.stderr) == (2, True), typed
    done = office.run("events", "--until", "2020-01-01")
    assert (done.exit_code, "Aucun fichier" in done.stderr) == (1, True)
    # Nothing found in what is still to come, or between an end and its beginning, would be read as nothing happened.
    done = office.run("events", "--since", "2127-01-01")
    assert (done.exit_code, "« 2127-01-01 » est encore à venir" in done.stderr) == (1, True)
    assert "à venir" not in office.run("events", "--since", "hier").stderr
    done = office.run("events", "--since", "hier 22:00", "--until", "hier 20:00")
    assert (done.exit_code, "la fin précède le début" in done.stderr) == (2, True)
    office.file.write_text(office.file.read_text().replace('"e-{day}.jsonl"', '"-"'))
    assert "ne vont pas dans un fichier" in office.run("events").stderr


def test_a_pseudonym_pasted_in_another_encoding_is_nobody_s(office: Office) -> None:
    told = office.run("events", "--pseudonym", "\udce9")  # as Python reads a lone é of Latin-1
    assert (told.exit_code, "Rien de tel" in told.stdout) == (0, True)


def test_a_door_of_no_table_is_doubted_and_sought_all_the_same(office: Office) -> None:
    office.log.emit(Event(name=EventName.LOGIN, door="arena-lille"))
    done = office.run("events", "--json", "--door", "arena-lille", "--door", "arena-paris")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 2)
    assert done.stderr.replace("\u00a0", " ") == "Porte inconnue de la politique et des réglages : « arena-lille ».\n"
    # Of the policy alone, without settings of its own.
    assert office.run("events", "--door", "arena-creteil").stderr == ""
    assert office.run("events", "--door", "direct").stderr == ""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("hier", "2026-12-12T23:00+00:00"),
        ("22:00", "2026-12-14T21:00+00:00"),
        ("hier 22:00", "2026-12-13T21:00+00:00"),
        ("Aujourd’hui 7:30", "2026-12-14T06:30+00:00"),
        ("2h", "2026-12-14T06:00+00:00"),
        ("7j", "2026-12-07T08:00+00:00"),
        ("2026-12-13", "2026-12-12T23:00+00:00"),
        ("2026-07-13T22:00", "2026-07-13T20:00+00:00"),
        ("2026-12-13T22:00:00Z", "2026-12-13T22:00+00:00"),
    ],
)
def test_a_moment_is_of_paris_unless_it_says_otherwise(typed: str, meant: str) -> None:
    assert moment(typed, datetime(2026, 12, 14, 8, tzinfo=UTC)) == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    "typed", ["", "99:99", "demain", "12345h", "demain 22:00", "hier 25:00", "2026-13-01", "0001-01-01"]
)
def test_a_moment_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(typed, datetime(2026, 12, 14, 8, tzinfo=UTC))


def test_a_file_is_followed_through_rotation_and_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagin_gateway.cli.following.EVERY_SECONDS", 0.01)
    place = tmp_path / "e.jsonl"
    line = '{"v":1,"time":"2026-12-14T08:00:00.000Z","event":"%s"}'
    sink = FileSink(place)
    sink.write(line % "before")
    told: list[str] = []
    ready = threading.Event()

    def reading() -> None:
        found = follow(place, SystemClock())
        ready.set()
        for _, record in found:
            told.append(record.event)
            if record.event == "end":
                return

    reader = threading.Thread(target=reading, daemon=True)
    reader.start()
    ready.wait(20)
    time.sleep(0.3)
    sink.write(line % "one")
    sink.write('{"v":1,"time":"2026-12-14T08:00:00","event":"no time zone"}')
    half = (line % "two").encode()
    with place.open("ab", buffering=0) as file:
        file.write(half[:20])
        time.sleep(0.1)
        file.write(half[20:] + b"\n")
    place.rename(tmp_path / "e.jsonl.1")
    for name in ("three", "end"):
        sink.write(line % name)
    reader.join(20)
    assert told == ["one", "two", "three", "end"]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_kind_and_every_code_has_its_words(language: str) -> None:
    words = Words(language)
    for name in EventName:
        assert words.kind(name) != name.value, name
    for code in Code:
        assert words.code(code) != code.value, code
    assert set(words._kinds) == {name.value for name in EventName}
    assert set(words._codes) == {code.value for code in Code}


NAMES = {
    "before",
    "during",
    "error",
    "filters",
    "header",
    "hook",
    "issuer",
    "linked",
    "missing",
    "reason",
    "rules",
    "run",
}
NAMES |= {"setting", "statuses", "type", "withheld"}
"""Facts whose texts are not words of ours to read: names, values, or what `reason` has its own words for."""


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_value_of_a_fact_is_a_word_and_one_of_another_release_stands_as_it_is(language: str) -> None:
    # That no event tells a value without its word is held to in every test: tests/events/captured.py.
    assert {name for name, (kind, _) in FACTS.items() if kind is str} - NAMES == set(WORDED)
    words = Words(language)
    assert set(words._facts) == set(WORDED)
    assert set(words._facts["mail"]) == set(MailKind)
    assert set(words._facts["kind"]) == set(FactorKind)
    assert set(words._facts["how"]) == set(_BY_DETAIL["password_chosen"][1])
    assert words.fact("mail", "of_tomorrow") == "of_tomorrow"


@pytest.mark.parametrize(
    ("name", "detail", "said"),
    [
        (EventName.MAIL_SENT, {"mail": "new_client"}, "Courriel parti (connexion depuis un nouvel appareil)"),
        (EventName.PASSWORD_CHOSEN, {"how": "first"}, "Mot de passe choisi (première connexion)"),
        (EventName.SESSIONS_ENDED, {"which": "all", "ended": 1}, "Sessions terminées (toutes, 1 session terminée)"),
        (EventName.SESSIONS_ENDED, {"ended": 2}, "Sessions terminées (2 sessions terminées)"),
        (EventName.SINK_RECOVERED, {"sink": "file", "lost": 1}, "…s'écrivent de nouveau (fichier, 1 perdu)"),
        (EventName.ACCOUNT_SHOWN, {"found": 1}, "Dossier consulté (1 trouvé)"),
        (EventName.RESET_ASKED, {"mailed": False}, "…demande enregistrée (aucun courriel ne part)"),
        (EventName.RESET_ASKED, {"mailed": True}, "…demande enregistrée"),
        (
            EventName.MAIL_FAILED,
            {"mail": "reset", "attempt": 0, "error": "550 5.1.1", "given_up": True},
            "…(lien pour choisir un mot de passe, 550 5.1.1, abandonné)",
        ),
        (EventName.MAIL_FAILED, {"error": "no answer", "given_up": False}, "…(no answer, à réessayer)"),
        (
            EventName.ACCOUNTS_IMPORTED,
            {"created": 16, "updated": 0, "unchanged": 1, "issued": 16, "run": "5ab5484d"},
            "…importée (16 créés, 1 inchangé, 16 mots de passe provisoires émis)",
        ),
        (EventName.ACCOUNTS_IMPORTED, {"created": 0, "updated": 0, "unchanged": 0, "issued": 0}, "…importée"),
        (EventName.INACTIVE_ERASED, {"accounts": 1}, "Comptes inactifs effacés (1 compte)"),
        (EventName.CHANGE_REQUIRED, {"accounts": 9, "ended": 2}, "…exigé (2 sessions terminées, 9 comptes)"),
        (
            EventName.LEAK_ANSWERED,
            {"accounts": 3, "letters": 2, "links": 1, "codes": 0, "mails": 1, "ended": 0},
            "…(3 comptes, 2 mots de passe provisoires annulés, 1 lien annulé, 1 courriel jeté)",
        ),
        (EventName.PROVISIONAL_ISSUED, {"replaced": True, "ended": 0}, "…émis (le mot de passe choisi est retiré)"),
        (EventName.HOOK_FAILED, {"hook": "after_login"}, "Une fonction de l'application a échoué (after_login)"),
    ],
)
def test_facts_are_told_in_words_and_one_is_one(name: EventName, detail: dict[str, str | int], said: str) -> None:
    told = Words("fr").sentence(Record(v=1, time="", event=name.value, detail=detail))
    assert told.replace("\u00a0", " ").replace("’", "'").endswith(said.removeprefix("…"))


def test_the_issuer_of_a_portal_is_known_so_that_its_people_are_found(office: Office) -> None:
    assert issuer_of(office.settings, "arena-paris") == "http://127.0.0.1:1/"
    assert os.fspath(office.file)
