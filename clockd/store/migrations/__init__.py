"""How the schema came about, a step for each revision; forward only.

A step only adds. During a deploy an older clockd is still at work on the database that
the new one has just brought up to date, and has to go on working until it is told to
stop. So:

- No table or column that is there is removed or renamed, or gets another meaning.
- A new column may be empty, or the server has a default for it: an older clockd does
  not write it.
- A new condition (`UNIQUE`, a foreign key) holds for whatever an older clockd writes.
- A value that an older clockd cannot read, such as a new state or hold, is written by
  the holder of the lease only: an older clockd that has lost the lease takes no run.

A step is one transaction: it happens, or it has not happened. The tests want a dump of
the schema before it, with data in it: `python -m tests.support.dumps` makes one.

`REVISIONS` is known without importing Alembic, which is slow: most starts find the
schema as it should be.
"""

from __future__ import annotations

from typing import Final

#: Every revision this clockd knows, oldest first.
REVISIONS: Final = ("0001", "0002")
HEAD: Final = REVISIONS[-1]
