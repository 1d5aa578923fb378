"""Lists of an exam session brought in, and provisional passwords printed anew: files in, letters out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from imagin_gateway.clock import Clock
from imagin_gateway.events import EventName
from imagin_gateway.local.checked_list import Progress
from imagin_gateway.local.convocations import Importer
from imagin_gateway.local.database import Database
from imagin_gateway.local.kept_runs import ImportReport, KeptRun, Output
from imagin_gateway.local.letter_files import WriterMaker
from imagin_gateway.local.letters import Letter, LettersCsv
from imagin_gateway.local.provisional import Provisionals
from imagin_gateway.local.sheets import LetterSheets, SheetWords
from imagin_gateway.local.telling import Telling


class Lists:
    """Imports lists and writes letters. Safe to share between threads.

    Args:
        database: where accounts are.
        provisionals: makes provisional passwords.
        life: of a provisional password.
        words: what the printed sheets say.
        clock: the time.
        tell: tells the operator.
        forgive: forgets the failures of an account whose letter is printed anew.
    """

    def __init__(
        self,
        database: Database,
        provisionals: Provisionals,
        life: timedelta,
        words: SheetWords,
        clock: Clock,
        tell: Telling,
        forgive: Callable[[str], None],
    ) -> None:
        self._tell = tell
        self._sheet_words = words
        self._importer = Importer(database, provisionals, clock, life, self._tell_run, forgive)

    def import_list(
        self,
        path: Path,
        *,
        skip_bad: bool = False,
        reissue: bool = False,
        letters_to: Path | None = None,
        sheets_to: Path | None = None,
        each: Callable[[Letter], None] | None = None,
        progress: Progress | None = None,
        actor: str = "",
    ) -> ImportReport:
        """Import the list of an exam session. See `convocations.Importer.run`.

        Args:
            path: the list.
            skip_bad: import the good lines even if there are bad ones.
            reissue: print new passwords for those who have not used theirs.
            letters_to: file of the mail merge (CSV).
            sheets_to: file of the sheets to print (HTML).
            each: called with each letter, whose password is seen this once.
            progress: told how far it is.
            actor: who does it, for the events.

        Raises:
            ValueError: `letters_to` and `sheets_to` are the same file; nothing was opened.
        """
        output = self._output(letters_to, sheets_to, each)
        return self._importer.run(path, output, skip_bad=skip_bad, reissue=reissue, progress=progress, actor=actor)

    def reissue(
        self,
        identifiers: Sequence[str],
        *,
        letters_to: Path | None = None,
        sheets_to: Path | None = None,
        each: Callable[[Letter], None] | None = None,
        actor: str = "",
    ) -> ImportReport:
        """Print new provisional passwords; the former ones die. See `convocations.Importer.reissue`.

        Raises:
            ValueError: as `import_list`.
        """
        return self._importer.reissue(identifiers, self._output(letters_to, sheets_to, each), actor=actor)

    def _output(self, letters_to: Path | None, sheets_to: Path | None, each: Callable[[Letter], None] | None) -> Output:
        if letters_to is not None and sheets_to is not None and same_file(letters_to, sheets_to):
            raise ValueError("letters_to and sheets_to are the same file")
        files: dict[Path, tuple[str, WriterMaker]] = {}
        if letters_to is not None:
            files[letters_to] = (LettersCsv.encoding, LettersCsv)
        if sheets_to is not None:
            files[sheets_to] = (LetterSheets.encoding, lambda file: LetterSheets(file, self._sheet_words))
        return Output(files=files, each=each)

    def _tell_run(self, run: KeptRun, reissued: Iterable[str]) -> None:
        counts = {name: getattr(run.report, name) for name in ("created", "updated", "unchanged", "issued")}
        self._tell(EventName.ACCOUNTS_IMPORTED, actor=run.actor, detail={**counts, "run": run.id[:8]})
        for identifier in reissued:
            self._tell(EventName.PROVISIONAL_ISSUED, identifier, actor=run.actor, detail={"run": run.id[:8]})


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two paths, however spelled, are one file, be it there or not."""
    return os.path.realpath(one) == os.path.realpath(other)
