"""Pure protocol logic: bytes, events and `now` in; bytes, events and timers out."""
