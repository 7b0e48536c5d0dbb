"""What `process.py` stands on: the files of local attempts, and their output.

`wrapper`   the lines of `/bin/sh` around every task
`children`  the wrappers this process has started
`identity`  a process that is not mistaken for a later one with its pid
`files`     the directory of an attempt, and what it proves
`output`    the file a task prints to → lines
`reader`    one attempt: its lines, then its end
`stream`    the lines of all attempts as they come
"""
