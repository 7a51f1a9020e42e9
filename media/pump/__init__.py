"""The usual packets of calls, carried by threads of a compiled pump where there is one; see docs/decisions/0015."""
