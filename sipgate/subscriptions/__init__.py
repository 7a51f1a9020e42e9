"""Event notification (RFC 6665): presence, message waiting, missed calls. One use case per file."""
