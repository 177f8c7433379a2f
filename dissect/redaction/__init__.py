"""What may be shown of a message: the one place that decides.

A value is shown if its name and place are on a list of harmless ones (`harmless`), or if its
form can't be a secret's there (`forms`). All others are hidden: known kinds of secrets by number
(`book`), the rest by length. `policy.Policy` is what the other folders ask.
"""
