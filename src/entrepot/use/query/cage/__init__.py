"""What runs in the child processes of a query, and all that these see of us.

`python -I -m cage.admitting` reads hostile SQL and never sees data; `python -I -m cage.running` sees data and
never a consumer's SQL, only what the first wrote anew. Both start from the folder above this one, so these
modules import one another relatively, and nothing of the house: a child starts in a quarter of the time,
and a hole in a parser or an engine finds no keys, no journal and no settings to import.
"""
