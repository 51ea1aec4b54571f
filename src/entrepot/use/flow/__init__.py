"""Data flows (Data Plane Signaling 1.0): where control plane and data plane are two houses.

Our data plane serves another product's control plane (`serving`, `taking`), our control plane drives
another product's data plane (`driving`); who they are and what is open to them is in `planes`.
"""
