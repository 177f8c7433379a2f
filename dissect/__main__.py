"""`python -m dissect` and the `dissect` command."""

from __future__ import annotations

from typing import NoReturn


def main() -> None:
    try:
        from dissect.cli import interrupt

        # First of all: the imports that follow take most of the time of a short run.
        interrupt.install()
        from dissect.cli.main import run
    except KeyboardInterrupt:
        _leave("interrupted", 130)
    except ImportError as error:
        name = (error.name or "?").partition(".")[0]
        _leave(f"the library {name} can't be loaded: install dissect-flow again", 2)
    run()


def _leave(text: str, code: int) -> NoReturn:
    import contextlib
    import os

    with contextlib.suppress(OSError):  # it is closed or full
        os.write(2, f"dissect: {text}\n".encode())
    raise SystemExit(code)


if __name__ == "__main__":
    main()
