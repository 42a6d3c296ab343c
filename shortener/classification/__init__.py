"""Which clicks are human: pure rules over one request, and over the set of clicks around it.

``rules.judge_request`` judges a request at once, ``sets.judge_set`` again with its neighbours;
``explanation.explain`` says why. Nothing here reads a clock, a store or a file other than its own packaged
lists.
"""
