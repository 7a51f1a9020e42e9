"""A browser on this machine as a phone: one page, one WebSocket, WebRTC to the node."""
