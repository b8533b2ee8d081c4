"""``python -m nervure``: the command, where its folder is not on the path."""

from nervure.cli import main

if __name__ == "__main__":
    main()
