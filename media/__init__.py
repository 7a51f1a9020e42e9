"""RTP legs, ICE + DTLS-SRTP legs, the bridge between them, and the session confirmation."""
