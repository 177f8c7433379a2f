"""A small internet that signs a desk phone in, for recording; it shares no code with dissect."""
