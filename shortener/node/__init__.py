"""What a redirect node does besides redirects: it joins a store, sends its click log there, and copies daily keys from
it.
"""
