"""Reports of a run: an HTML file with all pictures, and a contact sheet."""
