"""The tree of questions as one SVG file: a column per question number, a row per answer."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from textwrap import wrap

from imagin_gateway.policy.table import Policy
from imagin_gateway.policy.tree import Branch, End, Fork, forks, tree

_WIDTH, _GAP_X, _GAP_Y, _MARGIN = 320, 72, 28, 16
"""Of a box, between columns, between boxes, around the drawing; in pixels."""
_LINE, _PAD, _SIGNS = 19, 10, 42
"""Height of a line of text, padding, most signs in a line."""

_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1b1b1f}.n{fill:#5a5a66}.t{font-weight:600}.e{fill:#0b4f8a}"
    ".b{fill:#fff;stroke:#5a5a66}.h{fill:#eef1f6}.l{stroke:#c9ccd4}.a{fill:none;stroke:#5a5a66;stroke-width:1.5}"
)


@dataclass(frozen=True, slots=True)
class _Row:
    branch: Branch
    label: list[str]
    end: list[str]

    @property
    def height(self) -> int:
        return _LINE * (len(self.label) + len(self.end)) + _PAD


@dataclass(frozen=True, slots=True)
class _Frame:
    fork: Fork
    title: list[str]
    rows: list[_Row]

    @property
    def head(self) -> int:
        return _LINE * (len(self.title) + 1) + _PAD

    @property
    def height(self) -> int:
        return self.head + sum(row.height for row in self.rows)


def tree_svg(policy: Policy, lang: str = "fr") -> str:
    """Return the tree of questions as a whole SVG file."""
    lang = "en" if lang == "en" else "fr"
    root = tree(policy)
    frames = [_frame(fork, lang) for fork in forks(root)]
    places: dict[Fork, tuple[int, int]] = {}
    bottoms: dict[int, int] = {}
    for frame in frames:
        column = frame.fork.number - 1
        top = bottoms.get(column, _MARGIN)
        places[frame.fork] = (_MARGIN + column * (_WIDTH + _GAP_X), top)
        bottoms[column] = top + frame.height + _GAP_Y
    width = max((x for x, _ in places.values()), default=0) + _WIDTH + _MARGIN
    height = max(bottoms.values(), default=0) - _GAP_Y + _MARGIN
    title = {"fr": "Les questions et où elles mènent", "en": "The questions and where they lead"}[lang]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="t" lang="{lang}">',
        f'<title id="t">{escape(title)} – {escape(policy.title.get(lang))}</title>',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fafafc"/>',
    ]
    for frame in frames:
        parts += _draw(frame, places)
    return "\n".join([*parts, "</svg>", ""])


def _frame(fork: Fork, lang: str) -> _Frame:
    rows = []
    for branch in fork.branches:
        label = [line for text in branch.labels for line in _wrap(text.get(lang), _SIGNS)]
        end = _wrap("→ " + branch.target.words(lang), _SIGNS) if isinstance(branch.target, End) else []
        rows.append(_Row(branch, label, end))
    return _Frame(fork, _wrap(fork.title.get(lang), _SIGNS - 4), rows)


def _wrap(words: str, signs: int) -> list[str]:
    return wrap(words, signs, break_on_hyphens=False)


def _text(x: int, y: int, words: str, kind: str = "") -> str:
    look = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{look}>{escape(words)}</text>'


def _draw(frame: _Frame, places: dict[Fork, tuple[int, int]]) -> list[str]:
    x, y = places[frame.fork]
    left, right = x + _PAD, x + _WIDTH
    parts = [
        f'<rect class="b" x="{x}" y="{y}" width="{_WIDTH}" height="{frame.height}" rx="6"/>',
        f'<rect class="h" x="{x + 1}" y="{y + 1}" width="{_WIDTH - 2}" height="{frame.head - 2}" rx="5"/>',
        _text(left, y + _LINE, f"Question {frame.fork.number}", "n"),
    ]
    parts += [_text(left, y + _LINE * (number + 2), line, "t") for number, line in enumerate(frame.title)]
    top = y + frame.head
    for row in frame.rows:
        parts.append(f'<path class="l" d="M{x} {top}H{right}"/>')
        lines = [(line, "") for line in row.label] + [(line, "e") for line in row.end]
        parts += [_text(left, top + _LINE * (n + 1), line, kind) for n, (line, kind) in enumerate(lines)]
        if isinstance(row.branch.target, Fork):
            parts.append(_arrow(right, top + row.height // 2, *places[row.branch.target]))
        top += row.height
    return parts


def _arrow(x: int, y: int, to_x: int, to_y: int) -> str:
    to_y += _LINE
    middle = (x + to_x) // 2
    return (
        f'<path class="a" d="M{x} {y}C{middle} {y} {middle} {to_y} {to_x - 6} {to_y}"/>'
        f'<path fill="#5a5a66" d="M{to_x} {to_y}l-8 -4v8z"/>'
    )
