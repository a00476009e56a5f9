"""How a reader is written: ``user:NAME``, ``group:NAME``, ``everyone``."""

import re

READER = re.compile(r"everyone|(user|group):[^\s,]+")
