"""Those who want the mesh to fail: one attack in each file, named in its first line, with where it was described."""
