"""Write what the documentation shows of the table: `python -m tests.policy.docs`."""

from __future__ import annotations

from pathlib import Path

from imagin_gateway.policy import siec
from imagin_gateway.policy.render import matrix_markdown, tree_svg

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE, TREE = DOCS / "policy.md", DOCS / "policy-tree.svg"

_BEGIN, _END = "<!-- matrix:", "<!-- end of matrix -->"


def page() -> str:
    """Return the page with the matrix of today."""
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    comment, _, _ = rest.partition("\n")
    _, end, after = rest.partition(_END)
    return f"{before}{begin}{comment}\n\n{matrix_markdown(siec(), 'en')}\n{end}{after}"


def tree() -> str:
    """Return the tree of today."""
    return tree_svg(siec(), "en")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    TREE.write_text(tree(), encoding="utf-8")
