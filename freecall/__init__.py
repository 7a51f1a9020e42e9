"""The application: configuration, composition, daemon, control API and commands."""

__version__ = "0.1.0"
