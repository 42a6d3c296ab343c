"""Parts of ``shortener demo``: a sample issue and simulated readers."""
