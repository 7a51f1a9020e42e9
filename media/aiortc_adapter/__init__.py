"""ICE, DTLS and SRTP as the bridge needs them, on aiortc 1.16, aioice 0.13 and pylibsrtp 1.0.

The one place that touches what these packages keep private. `tests/media/test_aiortc_adapter.py` checks each
seam against the installed versions; docs/protocol/media.md says which trap each override closes.
"""
