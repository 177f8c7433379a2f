"""The canary test: a value of its own in every position that the program parses, looked for in
every byte that it gives out. Knows the command line and the wire formats, nothing of dissect.
"""
