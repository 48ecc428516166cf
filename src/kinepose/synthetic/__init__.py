"""Humans that never lived: bodies, motion, clothes, and the renderer that shows them.

A video is what `synthesize` makes, with exact labels; single images are what L_prior learns from.
Everything random comes from a seed: the same seed gives the same bytes.
"""
