from __future__ import annotations

import os

# Read when `datasets` is imported: these tests are about local files.
os.environ["HF_HUB_OFFLINE"] = "1"
