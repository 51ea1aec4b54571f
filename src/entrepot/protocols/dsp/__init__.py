"""The Dataspace Protocol 2025-1 (HTTPS binding)."""
