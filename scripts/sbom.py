"""The software bill of materials: what a host gets with the package and every extra, as CycloneDX.

`make sbom` writes it beside the wheel, from a clean environment: what pip really
installed, in the locked versions, with the licences they declare; nothing of our own tools. The same
commit gives the same bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import imagin_gateway
from scripts.build import epoch

ROOT: Final = Path(__file__).resolve().parent.parent


FILE: Final = "imagin-gateway.cdx.json"


class Incomplete(Exception):
    """The bill does not tell of everything; the text says what lacks."""


def write(python: Path, folder: Path) -> int:
    """Write the bill of one environment, validated against the schema of CycloneDX; return how many packages it lists.

    Args:
        python: the interpreter of the environment.
        folder: where the file goes.

    Raises:
        Incomplete: the tool failed, or a package that is installed is not listed in its version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    command = [sys.executable, "-m", "cyclonedx_py", "environment", str(python)]
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library", "--output-reproducible"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch()}
    done = subprocess.run(
        [*command, *options, "--validate", "--output-format", "JSON", "--output-file", str(file)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Incomplete(f"no bill of materials:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    bill: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    # The version stands in the package, not in pyproject.toml: the tool leaves ours out.
    bill["metadata"]["component"]["version"] = imagin_gateway.__version__
    file.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    listed = {_plain(each["name"]): each for each in bill["components"]}
    lacking = {name for name, version in _installed(python).items() if listed.get(name, {}).get("version") != version}
    if lacking:
        raise Incomplete(f"the bill of materials lacks {', '.join(sorted(lacking))}")
    return len(listed)


def _installed(python: Path) -> dict[str, str]:
    """Return what is installed beside the package itself, as the interpreter tells it."""
    code = (
        "import json; from importlib.metadata import distributions;"
        "print(json.dumps({each.name: each.version for each in distributions()}))"
    )
    told = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    return {_plain(name): version for name, version in json.loads(told).items() if name != "imagin-gateway"}


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
