"""What people look at after a run: one HTML file with all pictures in it, and a contact sheet."""
