"""Routes of the editor pages and the public pages, one blueprint in each module."""
