import sys

from otlp_kit.cli import main

sys.exit(main())
