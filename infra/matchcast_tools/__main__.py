"""The `matchcast` command, also as `python -m matchcast_tools`.

It imports nothing but the standard library before it knows that the command's libraries are installed.
"""

from __future__ import annotations

import signal
import sys

from matchcast_tools.streams import open_standard_streams

OWN_PACKAGES = ("matchcast", "matchcast_tools")


def main() -> None:
    """Run the command; exit with code 3 and a message if a library is not installed."""
    open_standard_streams()
    if sys.argv[1:2] == ["up"] or sys.argv[1:3] == ["webhook", "listen"]:
        # `make` and background jobs start it with SIGINT ignored, and Ctrl-C is how it ends, with all that it started.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        from matchcast_tools.cli.main import main as run

        run()
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in OWN_PACKAGES:
            raise
        sys.stderr.write(
            f"The library {library} is not installed. Install what the matchcast command needs: "
            "pip install 'matchcast[tools]'\n"
        )
        sys.exit(3)
    except KeyboardInterrupt:
        # During the imports above; later typer says it.
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
