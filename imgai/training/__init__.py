"""What `imgai train` is made of: the pictures and what is right for them, the loop, and what comes out."""
