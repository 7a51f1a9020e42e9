"""The application: configuration, composition, daemon, control API and commands."""
