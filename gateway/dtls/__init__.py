"""DTLS 1.2 for constrained devices (RFC 6347, RFC 7925), without input or output.

Datagrams, keys, randomness and the time are given to it; datagrams, events and the time of the
next timer are asked from it. Both roles: `endpoint` serves all peers of one server socket, `client`
is one connection to one server.

Modules, from the bytes upwards:

- `wire`, `errors`: the cursor every decoder uses, and the one error it raises.
- `record`, `replay`: records, their protection, the anti-replay window.
- `alerts`, `extensions`, `messages`, `fragments`: what stands inside records of the handshake.
- `suites`, `keys`, `cookie`: cipher suites, key schedule, stateless cookies.
- `cbc`, `contexts`, `protection`: records of CBC suites, large cipher contexts, who protects what.
- `groups`, `signatures`, `exchange`, `credential`: key shares, signatures, the messages that carry them.
- `certificates`, `trust`, `rawkeys`, `refusal`: who a peer proves to be, and why it is not believed.
- `recordsize`, `routability`: limits on records; the check of a moved address.
- above these, the state machines of both roles, sessions, flights and limits.

Scope: epochs 0 and 1 only; no renegotiation, no compression, no DTLS 1.0.
"""
