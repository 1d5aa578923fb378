"""`imagin-gateway`: the root of the command line."""

from __future__ import annotations

import io
import sys

from imagin_gateway.extras import absent, how_to_install


def main() -> None:
    """Run the command line; the program's entry point."""
    if absent("cli"):
        sys.stderr.write(f"La ligne de commande demande un complément : {how_to_install('cli')}\n")
        sys.exit(2)
    from imagin_gateway.cli.root import app

    # What a terminal of another encoding cannot write is a « ? », not the end of an order that is already done.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    app(prog_name="imagin-gateway")


if __name__ == "__main__":
    main()
