"""Who may ring here: contacts always, strangers by the user's policy, blocked people never (docs/protocol/sip.md)."""
