"""What people run: the command, the simulator, the benchmark. Nothing imports this package."""
