"""`python -m clockd`: hands over to the command line."""

from __future__ import annotations

from clockd.cli import main

if __name__ == "__main__":
    main()
