"""One recipe with several clusterers and seeds, side by side."""
