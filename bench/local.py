"""The direct door beside its floors: bare Argon2, a quiet moment, one Argon2 a letter, a thousand accounts."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import resource
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

import sqlalchemy as sa

from bench.frame import Report, run
from imagin_gateway import Gateway, Settings
from imagin_gateway.clock import SystemClock
from imagin_gateway.events import CallSink, EventLog
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.local.migrate import upgrade_accounts
from imagin_gateway.local.passwords import PROFILES, Hasher, cores
from imagin_gateway.state.sqlite import SqliteStateStore

PASSWORD: Final = Secret("quatre vaches bleues dansent")

LETTERS: Final = 100_000

ROUNDS: Final = 5

ROUND_SECONDS: Final = {"rfc9106": 6.0, "owasp": 2.0}
"""A round of each profile: of few verifications, one more or less is some per cent."""

ACCOUNTS: Final = (1_000, 1_000_000)

LOGINS: Final = 400

_TURN: Final = threading.Lock()
"""One caller at a time draws the next account."""


def settings_in(folder: Path, url: str = "", **changes: Any) -> Settings:
    """Return settings in a folder."""
    values: dict[str, Any] = {
        "development": True,
        "base_url": "http://127.0.0.1:8400",
        "privacy_url": "/donnees",
        "legal_url": "/mentions",
        "accessibility_url": "/accessibilite",
        "protect": [{"prefix": "/missions"}],
        "keys": {"signing": [secrets.token_urlsafe(48)], "provisional": [secrets.token_urlsafe(48)]},
        "state": {"url": f"sqlite:///{folder}/state.db"},
        "accounts": {"url": url or f"sqlite:///{folder}/accounts.db"},
        "mail": {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
    }
    return Settings.load(**{**values, **changes})


@contextmanager
def door_in(folder: Path, url: str = "", profile: str = "rfc9106") -> Iterator[DirectDoor]:
    """Open a door of its own in a folder."""
    settings = settings_in(folder, url, passwords={"profile": profile})
    events = EventLog(CallSink(lambda line: None), SystemClock(), Keyring(settings.keys.signing))
    state = SqliteStateStore(folder / "state.db")
    door = DirectDoor.open(settings, state, SystemClock(), events)
    try:
        yield door
    finally:
        door.close()
        state.close()


def person_in(door: DirectDoor, folder: Path, name: str = "mdurand7") -> str:
    """Make somebody who has chosen a password; return the id of a browser known to the account."""
    listing = folder / f"{name}.csv"
    listing.write_text(f"Identifiant;Nom\n{name};DURAND\n", encoding="utf-8")
    letters: list[Any] = []
    door.lists.import_list(listing, each=letters.append)
    door.passwords.choose_first(name, PASSWORD, PASSWORD)
    return door.remember(name)


# -- logins and the floor ----------------------------------------------------


def rate(call: Callable[[], object], threads: int, seconds: float = 1.5) -> float:
    """Return how many calls a second these threads make."""
    end = time.perf_counter() + seconds
    done = [0] * threads

    def work(number: int) -> None:
        while time.perf_counter() < end:
            call()
            done[number] += 1

    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return sum(done) / (time.perf_counter() - begin)


def _logins(report: Report) -> None:
    rows = []
    for profile in ("rfc9106", "owasp"):
        floors, ours = _beside_floor(profile)
        ratios = [each / beside for each, beside in zip(ours, floors, strict=True)]
        rows.append((profile, max(floors), max(ours), max(ours) / max(floors), median(ratios)))
        # Of rounds side by side: the best of each may be minutes apart.
        report.target(f"argon2_floor_to_logins_{profile}", 1 / median(ratios), 1 / 0.95, "x")
    columns = ("profile", "bare Argon2 /s", "logins /s", "of the floor", "median of rounds")
    report.table(f"Logins a second on {cores()} cores, beside bare Argon2", columns, rows)


def _beside_floor(profile: str) -> tuple[list[float], list[float]]:
    """Return bare verifications and whole logins a second, in turn, so that a slow moment falls on both."""
    hasher = Hasher(profile)
    stored, bare = hasher.hash(PASSWORD), hasher._argon2
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite:///{name}/accounts.db"
        _fill(url, 64, stored)
        with door_in(Path(name), url, profile) as door:
            browsers = itertools.cycle([(f"compte{n}", door.remember(f"compte{n}")) for n in range(64)])

            def login() -> None:
                with _TURN:
                    who, client = next(browsers)
                door.check(who, PASSWORD, address="127.0.0.1", client=client)

            def floor() -> None:
                bare.verify(stored, PASSWORD.reveal())

            floors, ours = [], []
            for _ in range(ROUNDS):
                floors.append(rate(floor, cores(), ROUND_SECONDS[profile]))
                # More callers than cores, as visitors are: the pool is never idle while some wait for a disk.
                ours.append(rate(login, 4 * cores(), ROUND_SECONDS[profile]))
    return floors, ours


# -- what a bystander feels ---------------------------------------------------


async def _host(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


class _Browser:
    """One browser, in the event loop of the application itself."""

    def __init__(self, app: Any, address: str) -> None:
        self._app = app
        self._address = address
        self.cookies: dict[str, str] = {}

    async def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, bytes]:
        headers = [(b"host", b"127.0.0.1:8400")]
        if self.cookies:
            headers.append((b"cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()).encode()))
        body = urlencode(form).encode() if form is not None else b""
        if form is not None:
            headers += [
                (b"content-type", b"application/x-www-form-urlencoded"),
                (b"content-length", str(len(body)).encode()),
            ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": (self._address, 40000),
            "server": ("127.0.0.1", 8400),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        for name, value in sent[0]["headers"]:
            if name.lower() == b"set-cookie":
                cookie, _, rest = value.decode().partition("=")
                self.cookies[cookie] = rest.partition(";")[0]
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    async def login(self, who: str, password: str) -> int:
        _, page = await self.ask("GET", "/connexion/direct")
        token = re.search(rb'name="formulaire" value="([^"]+)"', page)
        fields = {"formulaire": token[1].decode() if token else "", "identifiant": who, "motdepasse": password}
        return (await self.ask("POST", "/connexion/direct", fields))[0]


async def _felt(gateway: Gateway, callers: int, seconds: float) -> tuple[list[float], list[float], int, int]:
    """Return the bystander's times without and with logins, how many logins ended, and how many were sent back."""
    app = gateway.asgi(_host)
    bystander = _Browser(app, "192.0.2.1")
    assert await bystander.login("mdurand7", PASSWORD.reveal()) == 303

    async def watch(until: float) -> list[float]:
        times = []
        while time.perf_counter() < until:
            begin = time.perf_counter()
            status, _ = await bystander.ask("GET", "/missions")
            times.append(time.perf_counter() - begin)
            assert status == 200
            await asyncio.sleep(0.002)
        return times

    quiet = await watch(time.perf_counter() + seconds)
    ended = busy = 0
    stop = time.perf_counter() + seconds

    async def rush(number: int) -> None:
        nonlocal ended, busy
        for turn in itertools.count():
            if time.perf_counter() > stop:
                return
            # Everybody from a network of their own, at an account of their own: no throttle spares the work.
            browser = _Browser(app, f"2001:db8:{number:x}:{turn:x}::1")
            status = await browser.login(f"inconnu-{number}-{turn}", "pas le bon mot de passe")
            ended += status == 403
            busy += status == 503

    rushing = [asyncio.create_task(rush(number)) for number in range(callers)]
    await asyncio.sleep(0.2)
    loud = await watch(stop)
    await asyncio.gather(*rushing)
    return quiet, loud, ended, busy


def _resident() -> float:
    """Return the memory this process holds now, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _bystander(report: Report) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = settings_in(folder)
        with Gateway(settings, sink=CallSink(lambda line: None), sends_mail=False) as gateway:
            person_in(gateway.house.direct, folder)
            before = _resident()
            quiet, loud, ended, busy = asyncio.run(_felt(gateway, 40, 4.0))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    bound = cores() * PROFILES["rfc9106"]["memory_cost"] / 1024
    rows = [
        ("nobody signs in", len(quiet), median(quiet) * 1e3, max(quiet) * 1e3),
        ("40 sign in without end", len(loud), median(loud) * 1e3, max(loud) * 1e3),
    ]
    columns = ("meanwhile", "requests", "median ms", "longest ms")
    report.table("A request of somebody who is signed in, in the same event loop", columns, rows)
    told = [("logins evaluated", ended), ("sent back (503)", busy), ("MiB grown", grown), ("MiB of the pool", bound)]
    report.table("Meanwhile", ("what", "number"), told)
    report.target("bystander_median", median(loud) / median(quiet), 2, "x")
    # Beside what the pool hashes in, sixteen threads and the pages they render.
    report.target("memory_to_pool", grown / bound, 1.25, "x")


# -- letters -----------------------------------------------------------------


def _letters(report: Report) -> None:
    with tempfile.TemporaryDirectory() as name, door_in(Path(name)) as door:
        folder = Path(name)
        with (folder / "list.csv").open("w", encoding="utf-8") as file:
            file.write("Identifiant;Nom;Prénom;Courriel;Qualité;Académie d'origine;Service gestionnaire\n")
            for number in range(LETTERS):
                file.write(f"compte{number};NOM{number};Prénom;p{number}@exemple.test;surveillant;Lyon;DEC 2 - BTS\n")
        hasher = Hasher("rfc9106")
        cheaper = Hasher("owasp")
        slow = rate(lambda: hasher._argon2.hash("K7RTM4PXWQ9HFDC"), cores())
        less_slow = rate(lambda: cheaper._argon2.hash("K7RTM4PXWQ9HFDC"), cores())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.perf_counter()
        door.lists.import_list(folder / "list.csv", letters_to=folder / "letters.csv")
        took = time.perf_counter() - begin
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rows = [
        ("ours, checked, written, on disk", took, LETTERS / took, 1.0),
        ("one Argon2 a letter (rfc9106), all cores", LETTERS / slow, slow, LETTERS / slow / took),
        ("one Argon2 a letter (owasp), all cores", LETTERS / less_slow, less_slow, LETTERS / less_slow / took),
    ]
    report.table(f"{LETTERS} letters", ("how", "s", "letters /s", "x ours"), rows)
    report.table("Memory it took more", ("what", "MiB"), [("import", grown)])
    report.target("letters_100000", took, 10, "s")
    report.target("letters_to_argon2", took / (LETTERS / slow), 0.01, "x")


# -- a million accounts ------------------------------------------------------

_SQLITE_FILL: Final = """
INSERT INTO accounts (identifier, identifier_key, family_name, given_name, email, email_verified, situation, academie,
  office, state, version, password_hash, created_at)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})
SELECT 'compte' || i, 'compte' || i, 'NOM', 'Prénom', '', 1, 'surveillant', 'Lyon', 'DEC 2 - BTS', 'active', 1,
  '{hash}', 0
FROM n
"""

_POSTGRES_FILL: Final = """
INSERT INTO accounts (identifier, identifier_key, family_name, given_name, email, email_verified, situation, academie,
  office, state, version, password_hash, created_at)
SELECT 'compte' || i, 'compte' || i, 'NOM', 'Prénom', '', true, 'surveillant', 'Lyon', 'DEC 2 - BTS', 'active', 1,
  '{hash}', 0
FROM generate_series(0, {last}) AS i
"""


def _fill(url: str, count: int, stored: str) -> None:
    upgrade_accounts(url)
    # Not by the package's own engine: what it may ask of PostgreSQL in one statement is bounded in time.
    engine = sa.create_engine(url)
    fill = _POSTGRES_FILL if url.startswith("postgresql") else _SQLITE_FILL
    with engine.begin() as connection:
        connection.exec_driver_sql(fill.format(last=count - 1, hash=stored))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if url.startswith("postgresql"):
            connection.execute(sa.text("VACUUM ANALYZE accounts"))
            connection.execute(sa.text("CHECKPOINT"))
    engine.dispose()


def _cost(door: DirectDoor, count: int, chance: secrets.SystemRandom) -> float:
    """Return how long one login takes at best, over accounts drawn at random, in seconds."""
    times = []
    for _ in range(LOGINS):
        who = f"compte{chance.randrange(count)}"
        client = door.remember(who)
        begin = time.perf_counter()
        door.check(who, PASSWORD, address="127.0.0.1", client=client)
        times.append(time.perf_counter() - begin)
    return median(times)


def _million(report: Report) -> None:
    from tests.local.conftest import PrivatePostgres

    stored = Hasher("unsafe-tests").hash(PASSWORD)
    chance = secrets.SystemRandom()
    rows = []
    server = PrivatePostgres()
    try:
        for engine in ("sqlite", "postgresql"):
            with tempfile.TemporaryDirectory() as name:
                urls = {
                    count: server.make() if engine == "postgresql" else f"sqlite:///{name}/{count}.db"
                    for count in ACCOUNTS
                }
                for count, url in urls.items():
                    _fill(url, count, stored)
                best: dict[int, list[float]] = {count: [] for count in ACCOUNTS}
                for turn in range(ROUNDS + 1):
                    for count, url in urls.items():
                        place = Path(name) / f"{count}-{turn}"
                        place.mkdir()
                        # An Argon2 that costs nothing: it would hide what the accounts cost.
                        with door_in(place, url, "unsafe-tests") as door:
                            measured = _cost(door, count, chance)
                        if turn:
                            best[count].append(measured)
                few, many = (min(best[count]) for count in ACCOUNTS)
                rows.append((engine, few * 1e6, many * 1e6, many / few))
                report.target(f"login_at_a_million_{engine}", many / few, 1.2, "x")
    finally:
        server.stop()
    columns = ("engine", "1,000 accounts, µs", "1,000,000 accounts, µs", "x")
    report.table("One login, without its Argon2", columns, rows)


def measure(report: Report) -> None:
    """Measure logins, what a bystander feels, letters, and a million accounts."""
    _bystander(report)
    _logins(report)
    _letters(report)
    _million(report)


if __name__ == "__main__":
    run("local", measure)
