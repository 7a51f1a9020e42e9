"""Calls from our users to plain SIP domains (RFC 3263): outbound only, not encrypted by us, and said so."""
