"""Entry point of ``python -m shortener``."""

from shortener.cli import main

main()
