"""Spiking neurons that cluster: encoding, neurons, plasticity, homeostasis, and engines."""
