"""What `dyno.py` stands on: HTTP to Heroku, and what its answers and logs mean.

`answers`    answers of the Platform API → dynos and errors                    (pure)
`sockets`    sockets all threads share; what is known of each request
`http`       sessions, and the logs behind secret URLs
`logstream`  bytes of a log stream → lines
`checks`     what `clockd doctor` finds out about key and app
"""
