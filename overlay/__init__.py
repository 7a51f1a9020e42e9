"""Node identity, records, DHT, lookup, bootstrap and LAN discovery. Knows nothing of SIP, media or OpenPGP."""
