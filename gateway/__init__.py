"""The gateway: from the datagram to the registry.

Folders in the order of the flow: ``transport`` → ``dtls`` → ``messaging`` → ``site`` → ``lwm2m`` →
``registry``. ``app`` wires them.
"""
