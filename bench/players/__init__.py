"""The contestants' own code: each module runs in its contestant's virtual environment, where this project is not.

A player is a module with these functions; `python -m bench.players <player> <verb> …` calls one and prints JSON, and
`node main.js <player> <verb> …` does for those in the folder node.

    install()             makes its tables or queues on an empty server
    fill(count)           puts messages in waiting, as fast as it can
    send(count)           sends messages one by one
    bulk(count)           sends messages many at once; absent where the contestant cannot
    pace(count, per_second)  sends messages that carry their time of sending
    work()                runs one worker process; absent where the `dramatiq` command does that
"""
