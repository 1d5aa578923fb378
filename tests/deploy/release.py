"""What the workers load in the tests: the application of the page, in this release or the later one.

As with a link that points to another environment: a worker loads what is there when it starts.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.deploy import next_release

if Path(os.environ["IMAGIN_SETTINGS"]).with_name("later").exists():
    next_release.install()

from app import __getattr__ as __getattr__  # the release first
