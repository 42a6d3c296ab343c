"""The Flask application with the pages for editors and the public pages."""
