"""The attack rig: somebody between two nodes who can do everything but break keys."""
