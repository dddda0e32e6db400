"""``python -m imgai`` runs the ``imgai`` command."""

from imgai.cli.entry import main

if __name__ == "__main__":
    main()
