"""An imitation of a part of the REST API of Shlink 4 at ``/rest/v3``, for programs that were made for Shlink.

In its responses, every link of an issue has one tag: the slug of the issue. docs/compatibility.md lists what each
program can do.
"""
