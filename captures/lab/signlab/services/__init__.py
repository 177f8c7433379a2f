"""The servers of the sign-in, one module each; `python -m signlab.services.main` runs a zone."""
