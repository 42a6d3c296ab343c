"""Tasks of a redirect node besides redirecting, such as sending its click log to the central store."""
