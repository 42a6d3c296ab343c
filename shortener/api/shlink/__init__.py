"""An imitation of a part of the REST API of Shlink 4 at ``/rest/v3``, for programs that were made for Shlink.

The slug of an issue is the tag of its links. docs/compatibility.md lists what each program can do.
"""
