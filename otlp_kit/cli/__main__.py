"""`python -m otlp_kit.cli`: the command without its script."""

import sys

from otlp_kit.cli import main

if __name__ == "__main__":
    sys.exit(main())
