"""Humans that never lived: bodies, motion, clothes, and the renderer that films them."""
