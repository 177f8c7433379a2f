from collections.abc import Mapping, Sequence
from typing import Literal

from dissect.results import Name, Results

__version__: str

def open(
    *captures: Name,
    key_logs: Sequence[Name] = (),
    phone_logs: Sequence[Name] = (),
    flows: Sequence[Name] = (),
    plugins: Sequence[Name] = (),
    roles: Mapping[str, str] | None = None,
    clocks: Mapping[str, int] | None = None,
    engine: Literal["embedded", "tshark"] = "embedded",
    auto_keys: bool = True,
    reveal: bool = False,
    show_values: Sequence[str] = (),
) -> Results: ...
