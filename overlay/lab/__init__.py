"""The laboratory: whole meshes of real nodes on virtual time and an in-memory Internet."""
