"""What a redirect node does beside redirects: it sends its click log to the store, copies daily keys, and joins."""
