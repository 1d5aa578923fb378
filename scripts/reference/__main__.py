"""`make reference`: write every generated page of the documentation again."""

from __future__ import annotations

from pathlib import Path

from scripts.reference.pages import DOCS, pages, written_lists

if __name__ == "__main__":
    for name, text in {**pages(), **written_lists()}.items():
        file = DOCS / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            Path(file).write_text(text, encoding="utf-8")
            print(f"docs/{name}")
