"""An imitation of a part of Shlink's REST API at ``/rest/v3``, for programs made for Shlink 4.

docs/compatibility.md lists what each program can do.
"""
