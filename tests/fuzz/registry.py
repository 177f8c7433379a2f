"""All targets by name."""

from __future__ import annotations

from tests.fuzz import files, packets, readers, streams, tshark_text, whole
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (streams, packets, readers, files, tshark_text, whole)
    for target in module.TARGETS
}
