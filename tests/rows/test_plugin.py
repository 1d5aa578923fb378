"""The tool that counts rows is itself attacked: a wrong mark, a failing test, a run that is not whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rows.results import Results, by_row, digest, read

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A small suite of its own, with the plugin."""
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # What else is installed is of no interest here, and takes longer than the small suite.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini(
        "[pytest]\ntestpaths = .\nmarkers = row(*ids)\n"
        "addopts = -p xdist.plugin -p tests.rows.plugin -p no:cacheprovider\n"
    )
    return pytester


def run(suite: pytest.Pytester, *words: str) -> pytest.RunResult:
    """Run the small suite; several workers are processes of their own."""
    return suite.runpytest_subprocess(*words) if "-n" in words else suite.runpytest_inprocess(*words)


def kept(suite: pytest.Pytester) -> Results:
    results = read(suite.path)
    assert results is not None
    return results


TWO = ("-n", "2")


@pytest.mark.parametrize("workers", [(), TWO], ids=["one process", "two workers"])
def test_keeps_how_each_marked_test_ended(suite: pytest.Pytester, workers: tuple[str, ...]) -> None:
    suite.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.row("SAM-01")

        @pytest.mark.row("RTE-01", "RTE-02")
        def test_good(): pass

        @pytest.mark.row("RTE-02")
        def test_bad(): assert False

        @pytest.mark.row("RTE-03")
        def test_not_run(): pytest.skip("no part")

        @pytest.mark.row("RTE-04")
        @pytest.mark.xfail
        def test_known_to_fail(): assert False

        @pytest.fixture
        def falls_at_the_end():
            yield
            raise RuntimeError

        @pytest.mark.row("RTE-05")
        def test_teardown(falls_at_the_end): pass
        """
    )
    suite.makepyfile(test_other="def test_without_a_mark(): pass")
    assert run(suite, *workers).ret == pytest.ExitCode.TESTS_FAILED
    found = by_row(kept(suite).tests)
    assert {row: sorted(outcomes) for row, outcomes in found.items() if row != "SAM-01"} == {
        "RTE-01": ["passed"],
        "RTE-02": ["failed", "passed"],
        "RTE-03": ["skipped"],
        "RTE-04": ["skipped"],
        "RTE-05": ["failed"],
    }
    assert kept(suite).ran == 6
    assert len(kept(suite).tests) == 5
    assert sum(map(len, found["SAM-01"].values())) == 5


@pytest.mark.parametrize(
    ("mark", "said", "workers"),
    [
        ('row("SAM-00")', "did you mean SAM-", ()),
        ('row("SAM-00")', "did you mean SAM-", TWO),
        ('row("sam-02")', "no row 'sam-02'", ()),
        ("row(2)", "no row 2", ()),
        ("row", "write the rows in the mark", ()),
        ('row(id="SAM-02")', "write the rows in the mark", ()),
    ],
)
def test_a_mark_that_names_no_row_is_refused(
    suite: pytest.Pytester, mark: str, said: str, workers: tuple[str, ...]
) -> None:
    suite.makepyfile(f"import pytest\n@pytest.mark.{mark}\ndef test_something(): pass")
    result = run(suite, *workers)
    assert result.ret != 0
    assert said in result.stdout.str()
    assert read(suite.path) is None
    result.assert_outcomes(errors=1)


@pytest.mark.parametrize("words", [("-k", "good"), ("-x",), ("-x", *TWO), ("test_one.py",), ("--collect-only",)])
def test_a_run_that_is_not_whole_is_not_kept(suite: pytest.Pytester, words: tuple[str, ...]) -> None:
    row = 'import pytest\n@pytest.mark.row("RTE-01")\n'
    suite.makepyfile(test_one=f"{row}def test_good(): pass\ndef test_bad(): assert False")
    suite.makepyfile(test_two=f"{row}def test_good(): pass")
    run(suite, *words)
    assert read(suite.path) is None


@pytest.mark.parametrize(
    ("top", "workers"),
    [
        ("import nothing_of_that_name", ()),
        ("import pytest; pytest.skip(allow_module_level=True)", ()),
        ("import pytest; pytest.skip(allow_module_level=True)", TWO),
    ],
)
def test_a_run_in_which_a_file_was_not_collected_is_not_kept(
    suite: pytest.Pytester, top: str, workers: tuple[str, ...]
) -> None:
    suite.makepyfile(test_one="def test_good(): pass")
    suite.makepyfile(test_two=top)
    result = run(suite, *workers)
    assert "this run is not kept; it lacks test_two.py" in result.stdout.str()
    assert read(suite.path) is None


def test_any_change_of_the_sources_makes_results_stale(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    seen = {digest(tmp_path)} if (tmp_path / "pyproject.toml").write_text("") == 0 else set()
    (tmp_path / "tests" / "test_one.py").write_text("")
    seen.add(digest(tmp_path))
    (tmp_path / "tests" / "test_one.py").write_text("pass")
    seen.add(digest(tmp_path))
    (tmp_path / "tests" / "test_one.py").rename(tmp_path / "tests" / "test_two.py")
    seen.add(digest(tmp_path))
    assert len(seen) == 4
    (tmp_path / "tests" / "__pycache__").mkdir()
    (tmp_path / "tests" / "__pycache__" / "test_two.pyc").write_text("compiled")
    assert digest(tmp_path) in seen


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sources": "x", "tests": {"a": {"rows": []}}}'])
def test_results_that_cannot_be_read_count_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ".rows").mkdir()
    (tmp_path / ".rows" / "results.json").write_text(text)
    assert read(tmp_path) is None
