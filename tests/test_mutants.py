"""The driver of mutation: it changes what it says, and tells a change that is noticed from one that is not."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from mutants import judging, record
from mutants.changes import mutants
from mutants.plan import PLAN, ROOT, room, source
from mutants.record import Record, Survivor


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("a < b", {"a < b → a <= b", "a < b → a >= b"}),
        ("a == b", {"a == b → a != b"}),
        ("a and b and c", {"a and b and c → b and c", "a and b and c → a and c", "a and b and c → a and b"}),
        ("not a", {"not a → a"}),
        ("a in b", {"a in b → a not in b"}),
        ("a + 1", {"a + 1 → a - 1", "1 → 2"}),
        ("True", {"True → False"}),
        ("b'a'", {"b'a' → b'ax'"}),
        ("'told to somebody'", set()),
        ("f'{a}b'", set()),
    ],
)
def test_an_expression_is_changed(code: str, changes: set[str]) -> None:
    assert {each.what for each in mutants(f"x = {code}")} == changes


def test_statements_are_changed_and_what_is_told_is_not() -> None:
    source = """
def f(x: int = 3) -> "int":
    '''What it does.'''
    _log.warning("odd %s", 4)
    if g(x):
        raise Refused(Code.ODD, "odd", retry=5)
    check(x)
    return x
"""
    assert {each.what for each in mutants(source)} == {
        "3 → 4",
        "if g(x): raise Refused(Code.ODD, 'odd', retry=5) → if not g(x): raise Refused(Code.ODD, 'odd', retry=5)",
        "raise Refused(Code.ODD, 'odd', retry=5) → pass",
        "check(x) → pass",
        "return x → return None",
    }


def test_a_mutant_is_the_module_with_one_change_and_the_module_stays() -> None:
    module = ast.parse("a = 1\nb = 1\n")
    before = ast.dump(module)
    assert [ast.unparse(each.tree(module)) for each in mutants("a = 1\nb = 1\n")] == ["a = 2\nb = 1", "a = 1\nb = 2"]
    assert ast.dump(module) == before


def test_every_module_and_test_of_the_plan_is_there() -> None:
    for module, tests in PLAN.items():
        assert source(module).is_file(), module
        assert all((ROOT / test).is_file() for test in tests), module
    assert (room("providers/saml/profile"), room("keys")) == ("providers/saml", "ground")


JUDGE = """
from mutants.judging import judge
chosen = {"raise ValueError('a name is repeated') → pass"}
for each in judge("providers/oidc/strict_json", lambda mutant: mutant.what in chosen):
    print(each.mutant.what, each.fate)
"""


def test_what_a_test_notices_is_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", JUDGE], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.splitlines() == ["raise ValueError('a name is repeated') → pass killed"], done.stderr


HANG = """
import threading, time
from mutants import judging
judging.AT_LEAST = 0.2

def waits(*, test):
    judging._give(0.0)
    threading.Event().wait(60) if test else time.sleep(0.01)
    return 1

began = time.monotonic()
print([judging._in_a_child(lambda: waits(test=test), 50) for test in (True, False)], time.monotonic() - began < 40)
print(judging._in_a_child(lambda: time.sleep(60), 0.2))
"""


def test_a_test_that_waits_for_ever_is_given_up_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANG], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.splitlines() == ["[None, 1] True", "None"], done.stderr


def test_the_quickest_tests_are_taken_until_there_is_no_time_left() -> None:
    assert judging._quickest({"a": 19.0, "b": 0.5, "c": 0.4, "d": 20.0}) == {"a", "b", "c"}
    assert judging._quickest({"slow": 30.0, "slower": 31.0}) == {"slow"}


def test_a_record_is_kept_with_the_code_it_is_true_of_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    explained = tmp_path / "explained.toml"
    explained.write_text("[keys]\n\"1 → 2\" = 'the same'\n'a *' = 'all of these'\n", encoding="utf-8")
    monkeypatch.setattr(record, "EXPLAINED", explained)
    kept = Record(
        "keys", "0" * 16, 10, 1, (Survivor(3, "1 → 2"), Survivor(4, "a < b → a <= b"), Survivor(5, "x")), "2026-01-01"
    )
    kept.write()
    assert record.record_of("keys") == kept
    assert record.record_of("exchange") is None
    told = record.report()
    assert "| all of them | 10 | 7 | 2 | 70.0 % | 87.5 % |" in told
    assert "`keys` (the code has changed since), 2026-01-01" in told
    assert "- line 3: `1 → 2` — the same" in told
    assert "- line 4: `a < b → a <= b` — all of these" in told
    assert "- line 5: `x` — **not explained**" in told
    assert "`exchange`" in told


def test_every_explanation_is_of_a_change_that_survived() -> None:
    idle = [
        f"{module}: {change}"
        for module, told in record.explanations().items()
        if (known := record.record_of(module)) is not None
        for change, why in told.items()
        if not any(record._explanation(survivor, {change: why}) for survivor in known.survivors)
    ]
    assert idle == [], "the change is noticed by now, or never was one"
