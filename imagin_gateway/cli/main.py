"""`imagin-gateway`: the root of the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the program's entry point."""
    try:
        from imagin_gateway.cli.root import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.stderr.write("La ligne de commande demande un complément : pip install 'imagin-gateway[cli]'\n")
        sys.exit(2)
    app(prog_name="imagin-gateway")


if __name__ == "__main__":
    main()
