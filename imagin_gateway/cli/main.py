"""`imagin-gateway`: the root of the command line."""

from __future__ import annotations

import io
import os
import sys

from imagin_gateway.extras import absent, how_to_install


def main() -> None:
    """Run the command line; the program's entry point."""
    if absent("cli"):
        sys.stderr.write(f"La ligne de commande demande un complément : {how_to_install('cli')}\n")
        sys.exit(2)
    try:
        from imagin_gateway.cli.root import app
    except KeyboardInterrupt:
        sys.exit(130)  # as when the command itself is interrupted

    if sys.stdout is None:  # closed before we were started; what is opened next must not take its place
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # for as long as we live
    # What a terminal of another encoding cannot write is a « ? », not the end of an order that is already done.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        try:
            app(prog_name="imagin-gateway")
        finally:
            # Here, where it can be told what went wrong: Python would do it after us, in English.
            sys.stdout.flush()
    except BrokenPipeError:  # `| head -1`: whoever read has had enough
        _give_up_output()
        sys.exit(1)
    except OSError as error:
        from imagin_gateway.cli.common import system_words

        _give_up_output()
        sys.stderr.write(
            f"La réponse n'a pas pu être écrite : {system_words(error)}. "
            "Ce qui était demandé a pu être fait : regarder avant de relancer.\n"
        )
        sys.exit(1)


def _give_up_output() -> None:
    """Let nothing that still waits to be written be tried again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    main()
