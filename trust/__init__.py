"""OpenPGP: keyring, delegations, pins, trust decisions."""
