"""What `process.py` stands on: the files of local attempts, and their output.

`files`   the directory of an attempt, and what it proves
`stream`  output files, read as they grow → lines
"""
