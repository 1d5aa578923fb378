"""`make mutants`: judges the modules whose code has changed since, and writes docs/mutation.md anew."""

from __future__ import annotations

import argparse
import sys
import time

from mutants.changes import Mutant
from mutants.judging import Fate, judge
from mutants.plan import PLAN, room
from mutants.record import Record, record_of, sha_of, write_report


def main() -> int:
    """Judge what is asked for; 1 when a module scores less than it may."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--only", metavar="ROOM", help="a room (policy, providers/saml) or a module (policy/facts)")
    parser.add_argument("--again", action="store_true", help="also what has not changed")
    parser.add_argument("--survivors", action="store_true", help="only what survived: the tests may be better by now")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no module after so long")
    parser.add_argument("--report", action="store_true", help="write the report of what is known, and judge nothing")
    options = parser.parse_args()
    until = time.monotonic() + options.minutes * 60
    modules = [each for each in PLAN if not options.only or each == options.only or _stands_in(each, options.only)]
    if not modules:
        parser.error(f"no module of the plan is {options.only}, or stands in it")
    for module in [] if options.report else modules:
        known = record_of(module)
        if time.monotonic() > until:
            print(f"{module:28} left for another time", flush=True)
        elif known is not None and known.sha == sha_of(module) and options.survivors:
            _judge(module, known)
        elif known is None or known.sha != sha_of(module) or options.again:
            _judge(module, None)
        else:
            print(f"{module:28} {known.told()}, as before", flush=True)
    write_report()
    return 0


def _stands_in(module: str, asked: str) -> bool:
    return room(module) == asked or room(module).startswith(asked + "/")


def _judge(module: str, known: Record | None) -> None:
    began, sha = time.monotonic(), sha_of(module)
    left = None if known is None else {survivor.key for survivor in known.survivors}

    def chosen(mutant: Mutant) -> bool:
        return left is None or f"{mutant.line}: {mutant.what}" in left

    try:
        judged = list(judge(module, chosen))
    except RuntimeError as error:
        print(f"{module:28} {error}", file=sys.stderr, flush=True)
        return
    survivors = [each.mutant for each in judged if each.fate is Fate.SURVIVED]
    hung = sum(each.fate is Fate.HUNG for each in judged)
    record = Record.of(module, sha, len(judged) if known is None else known.total, hung, survivors)
    record.write()
    print(f"{module:28} {record.told()}, {time.monotonic() - began:.0f} s", flush=True)
    for mutant in survivors:
        print(f"    {mutant.line}: {mutant.what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
