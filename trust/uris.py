"""Mesh URIs that carry the fingerprint of the key that alone may claim them."""

from .protocol.errors import BadUri
from .protocol.uris import MeshUri, fingerprint_of_uri, self_certifying_uri

__all__ = ["BadUri", "MeshUri", "fingerprint_of_uri", "self_certifying_uri"]
