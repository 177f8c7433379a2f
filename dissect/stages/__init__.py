"""The stages of a run, each a function: (result, `Notes`) of what came before.

options → packets (read, align) → logs → events → charts. `pipeline.Session` joins them.
"""
