"""Simulated LwM2M devices: one sans-IO device, a lossy network for it, and a fleet on real sockets."""
