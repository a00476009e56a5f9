"""``python -m ragflow.cli``."""

import sys

from ragflow.cli import main

sys.exit(main())
