"""Datagrams in and out: UDP sockets, and the loop, clock and callbacks around the DTLS engine."""
