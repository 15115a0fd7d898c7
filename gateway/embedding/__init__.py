"""The gateway inside somebody else's program: what `nodegate.py` shows."""
