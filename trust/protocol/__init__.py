"""What is signed and how it is written down: pure bytes in, bytes out."""
