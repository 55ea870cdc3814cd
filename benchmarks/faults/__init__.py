"""What runs survive: faults at random moments, and what came of them."""
