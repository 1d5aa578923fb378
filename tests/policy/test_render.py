"""The table in words: matrix, explanation, tree of questions."""

from __future__ import annotations

import csv
import io
import re
from xml.etree import ElementTree as ET

import pytest

from imagin_gateway.policy import Facts, siec
from imagin_gateway.policy.loading import build
from imagin_gateway.policy.render import (
    decision_text,
    explanation_text,
    matrix_csv,
    matrix_markdown,
    matrix_rows,
    matrix_text,
    tree_mermaid,
    tree_svg,
)
from imagin_gateway.policy.tree import Branch, End, Fork, _mermaid_lines, forks, tree
from imagin_gateway.policy.values import Text
from tests.policy.strategies import siec_raw

LANGS = ("fr", "en")


@pytest.mark.parametrize("lang", LANGS)
def test_the_matrix_has_every_rule_and_every_crossing_in_order(lang: str) -> None:
    head, *rows = matrix_rows(siec(), lang)
    assert len(head) == 6
    assert [row[1] for row in rows] == [rule.id for rule in siec().rules] + [line.id for line in siec().crossings]
    assert all(len(row) == 6 and all(row[1:]) for row in rows)
    assert {int(row[0]) for row in rows if row[0].isdigit()} == set(range(1, 38))


def test_a_row_says_the_door_the_second_choice_and_what_it_rests_on() -> None:
    rows = {row[1]: row for row in matrix_rows(siec())}
    assert rows["29"][3:] == ("Portail de votre académie", "document", "B1, T1, T2, T3")
    assert rows["24"][3] == "Portail de votre académie, puis Accès direct"
    assert rows["1"][3:5] == ("ailleurs", "lecture")
    assert rows["22"][3] == "Portail de Paris"
    assert rows["P0-reste"][3] == "− Accès direct"


@pytest.mark.parametrize("lang", LANGS)
def test_markdown_is_one_table(lang: str) -> None:
    lines = matrix_markdown(siec(), lang).splitlines()
    assert len(lines) == len(siec().rules) + len(siec().crossings) + 2
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {7}


@pytest.mark.parametrize("lang", LANGS)
def test_csv_reads_back_as_the_rows(lang: str) -> None:
    assert [tuple(row) for row in csv.reader(io.StringIO(matrix_csv(siec(), lang)))] == matrix_rows(siec(), lang)


@pytest.mark.parametrize("lang", LANGS)
def test_text_keeps_to_its_width(lang: str) -> None:
    text = matrix_text(siec(), lang, width=100)
    assert max(map(len, text.splitlines())) <= 110
    assert all(rule.id in text for rule in siec().rules)


def test_a_decision_in_words() -> None:
    facts = Facts.parse({"convocation": "ours", "employer": "en", "posting": "paris", "email": "yes", "printed": "yes"})
    text = decision_text(siec(), siec().decide(facts))
    assert text.startswith("Portail de Paris (https://bv.ac-paris.fr)\n")
    assert "Règle B1, P0b-second, document" in text
    assert "En second\u00a0: Accès direct" in text
    assert "imagin@siec.education.fr" in text
    assert "Ask: Who sent your convocation?" in decision_text(siec(), siec().decide(Facts()), "en")


def test_an_explanation_tells_every_line_tried() -> None:
    facts = Facts.parse({"employer": "en", "posting": "paris", "email": "no"})
    text = explanation_text(siec(), facts).replace("\u00a0", " ")
    assert "→ 17" in text
    assert "métier : il faut « inspection générale » ; ici, « inconnu »" in text
    assert "poste : académie de Paris" in text
    assert "  18" not in text.replace("  18-", "")


# the tree


def test_the_tree_is_every_interview_there_can_be() -> None:
    def walk(node: Fork | End, answers: dict[str, str]) -> int:
        step = siec().interview(answers)
        if isinstance(node, End):
            assert step.over
            return 1
        assert step.question is not None
        assert (step.question.id, step.number) == (node.question, node.number)
        count = 0
        for branch in node.branches:
            for answer in step.question.answers:
                if answer.label in branch.labels:
                    count += walk(branch.target, {**answers, node.question: answer.id})
        return count

    assert walk(tree(siec()), {}) > 80


def test_equal_branches_are_drawn_once() -> None:
    root = tree(siec())
    assert isinstance(root, Fork)
    found = forks(root)
    assert len(found) == len(set(found)) < 15
    posting = next(fork for fork in found if fork.question == "poste")
    assert isinstance(posting.branches[0], Branch)
    assert [label.fr for label in posting.branches[0].labels] == [
        "Académie de Créteil",
        "Académie de Paris",
        "Académie de Versailles",
    ]


@pytest.mark.parametrize("lang", LANGS)
def test_mermaid_names_every_node_before_using_it(lang: str) -> None:
    chart = tree_mermaid(siec(), lang)
    assert chart.startswith("flowchart LR\n")
    named = set(re.findall(r"^  (\w+)[\[(]", chart, re.M))
    edges = re.findall(r'^  (\w+) -- "[^"]+" --> (\w+)$', chart, re.M)
    assert {node for edge in edges for node in edge} == named
    assert len(edges) == sum(len(fork.branches) for fork in forks(tree(siec())))


def test_the_ends_are_told_in_words_and_the_names_follow_one_another() -> None:
    chart = tree_mermaid(siec()).replace("\u00a0", " ")
    assert re.findall(r'^  (q\d+)\["(\d)\. (.{9})', chart, re.M)[:3] == [
        ("q1", "1", "Qui vous "),
        ("q2", "2", "Où êtes-v"),
        ("q3", "2", "Où êtes-v"),
    ]
    assert re.findall(r'^  (e\d+)\(\["(.*)"\]\)', chart, re.M) == [
        ("e10", "Votre convocation ne vient pas du SIEC"),
        ("e11", "Choisissez l’académie qui gère votre dossier"),
        ("e12", "Accès direct"),
        ("e13", "Portail de votre académie"),
        ("e14", "Portail de votre académie (identifiants d’abord)"),
        ("e15", "Nous ne pouvons pas trancher à votre place"),
        ("e16", "Accès direct, puis portail de votre académie"),
        ("e17", "Portail de votre académie (identifiants d’abord), puis accès direct"),
    ]
    assert chart.endswith('  q10 -- "Non" --> e12\n')
    assert 'e17(["Your académie’s portal (credentials first), then direct access"])' in tree_mermaid(siec(), "en")
    assert tree_mermaid(siec(), "de") == tree_mermaid(siec(), "fr")
    assert [fork.number for fork in forks(tree(siec()))] == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4]
    assert "Je n’ai plus ma convocation · Je ne sais pas" in chart


def test_an_answer_that_contradicts_an_earlier_one_is_left_out_and_those_after_it_stay() -> None:
    raw = siec_raw()
    (sender,) = (question for question in raw["questions"] if question["id"] == "emetteur")
    (without,) = (answer for answer in sender["answers"] if answer["id"] == "aucune")
    without["sets"] = {"convocation": "none"}  # and then, « is an identifier printed on it? »
    found = [fork for fork in forks(tree(build(raw))) if fork.question == "imprime"]
    told = {tuple(sorted(label.fr for branch in fork.branches for label in branch.labels)) for fork in found}
    assert told == {
        ("Je ne sais pas", "Je n’ai plus ma convocation"),
        ("Je ne sais pas", "Je n’ai plus ma convocation", "Non", "Oui"),
    }


def test_words_that_a_chart_would_take_for_its_own_are_written_otherwise() -> None:
    title = Text('« A & B » "<x>"', "")
    end = Fork("q", 1, title, (Branch((Text("<oui>", ""),), End("direct", Text('A"', ""), (), False)),))
    assert list(_mermaid_lines(end, "fr")) == [
        '  q1["1. « A #amp; B » #quot;#lt;x#gt;#quot;"]',
        '  e1(["A#quot;"])',
        '  q1 -- "#lt;oui#gt;" --> e1',
    ]


@pytest.mark.parametrize("lang", LANGS)
def test_svg_is_well_formed_has_a_title_and_loads_nothing(lang: str) -> None:
    picture = tree_svg(siec(), lang)
    root = ET.fromstring(picture)  # noqa: S314  # our own output
    space = "{http://www.w3.org/2000/svg}"
    title = root.find(f"{space}title")
    assert title is not None
    assert title.text
    assert root.get("role") == "img"
    assert not re.search(r"<script|<image|href=|url\(|@import", picture)
    words = " ".join("".join(text.itertext()) for text in root.iter(f"{space}text"))
    for question in siec().all_questions:
        assert question.title.get(lang) in words


def test_svg_keeps_every_box_inside_the_picture_and_apart() -> None:
    root = ET.fromstring(tree_svg(siec()))  # noqa: S314  # our own output
    boxes = [
        tuple(float(box.get(side, "0")) for side in ("x", "y", "width", "height"))
        for box in root.iter("{http://www.w3.org/2000/svg}rect")
        if box.get("class") == "b"
    ]
    assert len(boxes) == len(forks(tree(siec())))
    for x, y, width, height in boxes:
        assert x >= 0
        assert x + width <= float(root.get("width", "0"))
        assert y + height <= float(root.get("height", "0"))
    for i, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[i + 1 :]:
            apart = (
                x + width <= other_x
                or other_x + other_width <= x
                or y + height <= other_y
                or other_y + other_height <= y
            )
            assert apart


def test_rendering_is_the_same_each_time() -> None:
    assert tree_svg(siec()) == tree_svg(siec())
    assert tree_mermaid(siec()) == tree_mermaid(siec())
