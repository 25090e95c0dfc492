"""`python -m leadline` is `leadline`."""

from __future__ import annotations

import sys

from leadline.cli.main import main

sys.exit(main())
