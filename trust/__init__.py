"""OpenPGP: keyring, delegations, pins, trust decisions. Knows nothing of the overlay, SIP or media."""
