"""Layers and modules that several networks are made of. Ordinary ones: none of them knows of K."""
