"""The pages: what a browser sees when it is not simply redirected."""
