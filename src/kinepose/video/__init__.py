"""From a video to the people in it: frames, shots, boxes, tracks, crops, and B_t behind them.

A frame is decoded once: what later steps need of it is kept on disk, shrunk to what crops need.
Nothing here knows of clips or of models.
"""
