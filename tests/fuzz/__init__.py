"""Any bytes → messages and anomalies: no exception but `ProtocolError` leaves a parser, none
leaves a run, and no input takes time or memory out of proportion.

| file | what |
|---|---|
| `target.py` | what a target is; `registry.py` names them all |
| `streams.py`, `datagrams.py`, `packets.py`, `readers.py`, `files.py`, `tshark_text.py`, `whole.py` | the targets |
| `dialogue.py`, `mutate.py`, `container.py` | bytes as conversations, bundles and captures, and their mutations |
| `material.py` | the recordings that are mutated, and what is decrypted in them |
| `budget.py` | bounds of time, steps and memory |
| `worker.py`, `__main__.py` | a target in a process of its own; `make fuzz MINUTES=n` |
| `corpus/`, `dictionaries/`, `found/` | seeds of ours, words of the protocols, inputs that once broke something |
"""  # noqa: E501
