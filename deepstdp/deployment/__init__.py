"""From a trained ConvNet to integrate-and-fire neurons: convert, count, verify."""
