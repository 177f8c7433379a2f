"""What the shipped flow definitions share."""
