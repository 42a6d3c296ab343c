"""The processes of ``shortener serve``: a supervisor, redirect workers, the pages and the collector."""
