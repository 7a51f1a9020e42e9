"""Calls: one use case per file. `call.py` joins the legs as `protocol/b2bua.py` decides."""
