"""The supervised half of an epoch: which images, in which order, and the learning step."""
