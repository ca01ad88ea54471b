"""`python -m cellwall_kernel` is the `llm` command."""

from __future__ import annotations

import sys

from cellwall_kernel.cli import main

if __name__ == "__main__":
    sys.exit(main())
