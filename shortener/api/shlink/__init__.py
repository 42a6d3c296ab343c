"""A subset of the REST API of Shlink 4 at ``/rest/v3``, for programs that were made for it.

An issue's slug is the tag of its links. docs/compatibility.md lists what each program can do.
"""
