"""What a host changes of the pages: templates, texts, theme, logo. See docs/pages.md."""

from __future__ import annotations

from pathlib import Path

from imagin_gateway.settings.section import Section


class Appearance(Section):
    """Files of the host that stand in for ours; what is absent stays ours.

    What they hold is checked when the gateway starts, with everything wrong told at once.
    """

    templates: Path | None = None
    """Folder of templates, by the names of ours."""
    texts: Path | None = None
    """Folder of catalogues, `fr.toml` and `en.toml`, each with the texts to change."""
    style: Path | None = None
    """Style sheet, read by browsers after ours."""
    logo: Path | None = None
    """SVG that the portals show, as our metadata asks them to."""
