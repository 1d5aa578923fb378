"""Importing the list of an exam session: accounts are made or updated, letters come out.

Every line is checked before the first is written. All is written in one
transaction, or nothing. Run again, the same list changes nothing. A person who has
chosen a password gets none; one whose provisional password still works gets no
other, unless asked; one who has nothing that opens the account gets a new one. An
empty cell says nothing: what is known stays.

The run is kept in the same transaction. Whatever is left to do after it (events, the
names of the files) is done by the next run if this one dies first.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import ImportRefused, LettersRefused, PlaceProblem, Unavailable
from imagin_gateway.local import kept_runs, store
from imagin_gateway.local.accounts import Account, identifier_key
from imagin_gateway.local.checked_list import CheckedList, Progress, Step
from imagin_gateway.local.database import Database
from imagin_gateway.local.kept_runs import ImportReport, KeptRun, Output
from imagin_gateway.local.letter_files import LetterFiles, discard_left, publish_left
from imagin_gateway.local.letter_run import LetterRun
from imagin_gateway.local.lifecycle import Act, allows, state_at
from imagin_gateway.local.list_reader import Row
from imagin_gateway.local.provisional import Provisionals
from imagin_gateway.local.schema import accounts

_BATCH: Final = 500

_log = logging.getLogger("imagin_gateway.local")


class Importer:
    """Imports lists and issues letters again.

    Args:
        database: where accounts are.
        provisionals: keeps provisional passwords.
        clock: the time.
        life: how long a provisional password works.
        tell: writes the events of a run that was kept.
        forgive: forgets the failures that locked an account, told by the key of its identifier.
    """

    def __init__(
        self,
        database: Database,
        provisionals: Provisionals,
        clock: Clock,
        life: timedelta,
        tell: Callable[[KeptRun, Iterable[str]], None],
        forgive: Callable[[str], None],
    ) -> None:
        self._database = database
        self._provisionals = provisionals
        self._clock = clock
        self._life = life
        self._tell = tell
        self._forgive = forgive

    def run(
        self,
        path: Path,
        output: Output,
        *,
        skip_bad: bool = False,
        reissue: bool = False,
        progress: Progress | None = None,
        actor: str = "",
    ) -> ImportReport:
        """Import one list.

        Args:
            path: the list.
            output: where letters go.
            skip_bad: import the good lines even if there are bad ones.
            reissue: print a new provisional password for those who still have one: the former one dies.
            progress: told how far it is.
            actor: who does it.

        Raises:
            ImportRefused: with every bad line; nothing was written.
            FileExistsError: a file of letters exists; nothing was written.
            OSError: a file of letters cannot be written; nothing was.
            Unavailable: the database does not answer. Nothing was written, or the next run tells that all was.
        """
        with CheckedList(path, progress) as checked:
            if checked.problem_count and not skip_bad:
                raise ImportRefused(checked.problems, checked.problem_count)
            source = f"list {checked.digest} skip={skip_bad} again={reissue}"
            report = self._once(source, checked.batches(_BATCH), checked.total, output, reissue, progress, actor)
            return replace(
                report,
                problems=checked.problems,
                problem_count=checked.problem_count,
                ignored_columns=checked.ignored,
            )

    def reissue(self, identifiers: Sequence[str], output: Output, *, actor: str = "") -> ImportReport:
        """Print a new provisional password for each of these accounts: the former one dies.

        Raises:
            LettersRefused: one of them has none to give, by its place in `identifiers`; nothing was written.
            FileExistsError, OSError, Unavailable: as `run`.
        """
        keys = [identifier_key(identifier) for identifier in identifiers]
        problems = [PlaceProblem(place, "donné deux fois") for place, key in _repeated(keys)]
        with self._database.read() as connection:
            for start in range(0, len(keys), _BATCH):
                some = keys[start : start + _BATCH]
                known = store.find_many(connection, some)
                for place, key in enumerate(some, start + 1):
                    if reason := self._why_not(known.get(key)):
                        problems.append(PlaceProblem(place, reason))
        if problems:
            raise LettersRefused(sorted(problems, key=lambda problem: problem.line))
        rows = [Row(place, key, {}) for place, key in enumerate(keys, 1)]
        batches = iter([rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)])
        # Asked twice, it is done twice: no two of these runs are the same one.
        return self._once(f"letters {secrets.token_hex(16)}", batches, len(rows), output, True, None, actor)

    def _why_not(self, account: Account | None) -> str:
        if account is None:
            return "aucun compte ne porte cet identifiant"
        if account.password_hash is not None:
            return "un mot de passe a déjà été choisi\u00a0: la personne en demande un autre par courriel"
        if not allows(state_at(account.state, account.provisional_ends_at, self._clock.now()), Act.ISSUE):
            return "ce compte est désactivé"
        return ""

    # -- one run -------------------------------------------------------------

    def _once(
        self,
        source: str,
        batches: Iterator[list[Row]],
        total: int,
        output: Output,
        reissue: bool,
        progress: Progress | None,
        actor: str,
    ) -> ImportReport:
        for left in self.finish_left({target.parent for target in output.files}):
            if left.source == source:
                return replace(left.report, resumed=True)
        now = self._clock.now()
        run = LetterRun(
            secrets.token_hex(16), self._provisionals, now, now + self._life, reissue and output.wanted, output, actor
        )
        files = LetterFiles(run.id, output.files)
        try:
            with self._database.write(long=True) as connection:
                done = 0
                for rows in batches:
                    run.write(connection, rows, files)
                    done += len(rows)
                    if progress is not None:
                        progress(Step.WRITING, done, total)
                # On disk before they are kept: no password that opens an account is ever lost.
                files.seal()
                kept = KeptRun(run.id, source, actor, run.report(), tuple(path.absolute() for path in output.files))
                kept_runs.keep(connection, kept, now)
        except BaseException:
            self._take_back(files, run.id)
            raise
        try:
            # Else what locked an account would keep its new letter from being looked at.
            for key in run.unlocked:
                self._forgive(key)
            self._finish(kept)
            files.publish()
        except BaseException:
            files.leave()
            raise
        self._finished(kept)
        return kept.report

    def _take_back(self, files: LetterFiles, run: str) -> None:
        """Remove the files of a run that failed, unless its transaction was kept after all."""
        try:
            kept = self._was_kept(run)
        except Unavailable:
            files.leave()
            return
        if kept:
            files.leave()
        else:
            # Letters whose passwords open nothing must not be printed.
            files.discard()

    # -- what an interrupted run left ----------------------------------------

    def finish_left(self, folders: Iterable[Path]) -> list[KeptRun]:
        """Finish the runs that were kept and then interrupted, and return them; remove what unkept ones left.

        Args:
            folders: where such remains are looked for.
        """
        with self._database.read() as connection:
            unfinished = kept_runs.unfinished(connection)
        finished = []
        for left in unfinished:
            if publish_left(list(left.files), left.id):
                # Of those whom it issued a letter: which of them were locked is known no more.
                for identifier in self._reissued(left):
                    self._forgive(identifier_key(identifier))
                self._finish(left)
                self._finished(left)
                finished.append(left)
            else:
                _log.warning("letters of an interrupted import are not on this machine, or are being written")
        for folder in folders:
            discard_left(folder, self._was_kept)
        return finished

    def _was_kept(self, run: str) -> bool:
        with self._database.read() as connection:
            return kept_runs.was_kept(connection, run)

    def _finish(self, run: KeptRun) -> None:
        self._tell(run, self._reissued(run))

    def _reissued(self, run: KeptRun) -> Iterator[str]:
        # Whoever is created is issued theirs with it; what is beyond was issued to accounts that were there.
        if run.report.issued <= run.report.created:
            return
        again = (accounts.c.provisional_run == run.id) & (accounts.c.version > 1)
        with self._database.read() as connection:
            found = connection.execution_options(yield_per=_BATCH).execute(
                sa.select(accounts.c.identifier).where(again)
            )
            yield from found.scalars()

    def _finished(self, run: KeptRun) -> None:
        with self._database.write(long=True) as connection:
            kept_runs.finish(connection, run.id)


def _repeated(keys: Sequence[str]) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for place, key in enumerate(keys, 1):
        if key in seen:
            yield place, key
        seen.add(key)
