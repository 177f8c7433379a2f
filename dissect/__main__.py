"""`python -m dissect` and the `dissect` command."""

from __future__ import annotations


def main() -> None:
    from dissect.cli.main import run

    run()


if __name__ == "__main__":
    main()
