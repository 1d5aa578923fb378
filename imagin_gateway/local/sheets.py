"""The sheet that goes with a convocation, one page a person: for an office that prints without a mail merge.

One HTML file that needs nothing else, to open in a browser and print (A4). The name
stands at the foot: through the window of an envelope, a name is never seen beside a
password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TextIO

from markupsafe import Markup

from imagin_gateway.local.dates import day_in_french
from imagin_gateway.local.letters import Letter, LetterKind

_HEAD: Final = Markup(
    """\
<!doctype html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Feuillets de connexion – Imagin SIEC</title>
<style>
@page {{ size: A4; margin: 22mm 20mm; }}
body {{ margin: 0; color: #000; background: #fff; font: 12pt/1.5 "Liberation Sans", Arial, sans-serif; }}
.sheet {{ display: flex; flex-direction: column; max-width: 170mm; margin: 0 auto; }}
.sheet {{ break-after: page; break-inside: avoid; }}
.sheet:last-of-type {{ break-after: auto; }}
h1 {{ margin: 0 0 6mm; font-size: 18pt; line-height: 1.2; }}
h2 {{ margin: 6mm 0 2mm; font-size: 13pt; }}
dl {{ margin: 0 0 5mm; padding: 5mm 6mm; border: .5mm solid #000; }}
dt {{ font-weight: bold; }}
dd {{ margin: 0 0 3mm; }}
dd:last-child {{ margin-bottom: 0; }}
.code {{ font-family: "Liberation Mono", Consolas, monospace; font-size: 16pt; }}
dd, .to {{ overflow-wrap: anywhere; }}
ol, ul {{ margin: 0; padding-left: 7mm; }}
.to {{ margin: 10mm 0 0; padding-top: 2mm; border-top: .2mm solid #000; font-size: 10pt; }}
@media screen {{ .sheet {{ padding: 10mm; border-bottom: 1mm dashed #888; }} }}
@media print {{ .sheet {{ min-height: 250mm; }} .to {{ margin-top: auto; }} }}
</style>
</head>
<body>
"""
).format()

_SHEET: Final = Markup(
    """\
<section class="sheet">
<h1>Imagin SIEC\u00a0: votre accès direct</h1>
<dl>
<dt>Identifiant</dt><dd class="code">{identifier}</dd>
<dt>Mot de passe provisoire</dt><dd{kind}>{password}</dd>
</dl>
{about}
<h2>{steps_title}</h2>
<ol>
{steps}</ol>
<h2>Bon à savoir</h2>
<ul>
<li>Cet identifiant peut ressembler à un identifiant académique. C’en est un autre.</li>
<li>Vous avez déjà choisi un mot de passe et vous l’avez perdu\u00a0? \
Utilisez «\u00a0Mot de passe oublié\u00a0?\u00a0».</li>
<li>Personne du SIEC ne vous demandera votre mot de passe. Ne donnez ce feuillet à personne.</li>
<li>Une difficulté\u00a0: {contact}</li>
</ul>
<p class="to">{to}</p>
</section>
"""
)

_ABOUT: Final = Markup(
    "<p>Ce mot de passe sert seulement à la première connexion, <strong>jusqu’au {day}</strong>. "
    "Il ne contient ni zéro, ni 1, ni les lettres I, L et O. Les espaces et les majuscules ne comptent pas.</p>"
)

_INSTEAD: Final = {
    LetterKind.CHOSEN: "Vous avez déjà choisi votre mot de passe.",
    LetterKind.SENT: "Utilisez celui de votre lettre précédente, jusqu’au {day}.",
    LetterKind.WAITING: "Aucun n’a encore été émis.",
}

_ITEM: Final = Markup("<li>{}</li>\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetWords:
    """What every sheet says of this service.

    Attributes:
        door: address of the page where one signs in, without its scheme.
        contact: address to write to.
        minimum: least length of a chosen password.
    """

    door: str
    contact: str
    minimum: int


class LetterSheets:
    """Writes the sheets.

    Args:
        file: open for text; it receives the head of the document at once.
        words: what is the same on all of them.
    """

    encoding: Final = "utf-8"

    def __init__(self, file: TextIO, words: SheetWords) -> None:
        self._file = file
        self._words = words
        file.write(_HEAD)

    def write(self, letter: Letter) -> None:
        """Write one sheet. Every value is escaped."""
        day = "" if letter.last_day is None else day_in_french(letter.last_day)
        first = letter.provisional is not None
        if letter.provisional is not None:
            password = letter.provisional.reveal()
        else:
            password = _INSTEAD[letter.kind].format(day=day)
        named = " ".join(part for part in (letter.given_name, letter.family_name) if part)
        self._file.write(
            _SHEET.format(
                identifier=letter.identifier,
                kind=Markup(' class="code"') if first else "",
                password=password,
                about=_ABOUT.format(day=day) if first else "",
                steps_title="La première fois" if letter.kind is not LetterKind.CHOSEN else "Pour vous connecter",
                steps=Markup("").join(_ITEM.format(step) for step in self._steps(letter)),
                contact=self._words.contact,
                to=" – ".join(part for part in (named, letter.office) if part),
            )
        )

    def _steps(self, letter: Letter) -> list[str | Markup]:
        door = Markup("Ouvrez <strong>{}</strong>").format(self._words.door)
        if letter.kind is LetterKind.CHOSEN:
            return [door, "Tapez l’identifiant, puis le mot de passe que vous avez choisi."]
        length = f"{self._words.minimum} caractères au moins"
        return [
            door,
            "Tapez l’identifiant, puis le mot de passe provisoire.",
            f"Choisissez votre mot de passe\u00a0: {length}, par exemple plusieurs mots.",
            "La fois suivante, utilisez ce mot de passe. Le provisoire ne marchera plus.",
        ]

    def end(self) -> None:
        """Write what comes after the last sheet."""
        self._file.write("</body>\n</html>\n")
