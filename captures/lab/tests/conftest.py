"""The lab's own tests: what is recorded, against tshark; what signs, against its opposite."""

from __future__ import annotations

import sys
from pathlib import Path

LAB = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(LAB))
