"""Follows active attempts to their end: exit lines, dyno list, deadlines, adoption.

`watcher`   one thread that owns what is known, and ties the rest together
`track`     one attempt: what was seen, what is due
`evidence`  what the lines prove of how it ended                               (pure)
`streams`   one reading thread per log stream; `replay` drops repeated lines   (pure)
`presence`  the dyno list as safety net; `polling` says when to read it        (pure)
`stops`     stops dynos: at their timeout, on request
`seek`      launches whose answer was lost; `adoption` recognises their dyno   (pure)
`commands`  what a command looks like where the platform shows it              (pure)
`dating`    when launches went out; `platform_time`: what time it is there
`patience`  gives up what cannot be seen                                       (pure)
`recorder`  writes output and outcomes, also after the database was away
`breaker`   leaves a database alone that has just failed
`inbox`     what others tell the watcher; `hooks`: whom it tells
`questions` requests to the platform, in threads of their own
"""

from __future__ import annotations

from clockd.watch.hooks import WatchHooks
from clockd.watch.watcher import Watcher

__all__ = ["WatchHooks", "Watcher"]
