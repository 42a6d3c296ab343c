"""Parts of ``shortener demo``: the sample issues and the simulated clicks of their readers."""
