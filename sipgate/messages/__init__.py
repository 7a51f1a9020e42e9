"""Text messages (RFC 3428): one use case per file."""
