"""A model learns from the user's own videos, without a label.

A part of each video is held back; numbers without labels say on it whether the model got better.
Nothing here sees a score.
"""
