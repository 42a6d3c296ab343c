"""The demonstration: a sample issue and simulated readers, played against a real server."""
