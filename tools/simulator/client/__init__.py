"""The client side of a simulated device: what it has, answers and tells (OMA Core TS 1.2 §6.3, §6.4)."""
