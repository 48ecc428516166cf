"""`python -m kinepose` is the command `kinepose`."""

from kinepose.cli import main

main()
