"""How the schema came about, a step for each revision; forward only.

`REVISIONS` is known without importing Alembic, which is slow: most starts find the
schema as it should be.
"""

from __future__ import annotations

from typing import Final

#: Every revision this clockd knows, oldest first.
REVISIONS: Final = ("0001",)
HEAD: Final = REVISIONS[-1]
