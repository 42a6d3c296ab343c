"""Tasks of a redirect node besides redirecting: it joins a store, sends its click log there, and copies daily keys from
it.
"""
