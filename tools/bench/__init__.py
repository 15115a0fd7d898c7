"""What an operation costs: CPU of the server process, beside an echo and stock aiocoap in the same run."""
