"""`make reference`: write every generated page of the documentation again, and what the package ships of the same tables."""

from __future__ import annotations

from imagin_gateway.events import schema
from scripts.reference.pages import DOCS, pages, written_lists
from tests.steps import openapi

if __name__ == "__main__":
    shipped = {schema.PATH: schema.text(), openapi.FILE: openapi.written(openapi.document())}
    generated = {DOCS / name: text for name, text in {**pages(), **written_lists()}.items()}
    for file, text in {**shipped, **generated}.items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            print(file.relative_to(DOCS.parent))
