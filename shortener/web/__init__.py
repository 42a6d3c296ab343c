"""Editor pages and public pages of the installation, as a Flask application."""
