"""The thin SIP gateway: messages, transactions, dialogs, registrar, calls. Never learns that ICE or a DHT exists."""
