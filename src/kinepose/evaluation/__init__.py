"""How far poses are from the truth: metrics, the scores of poses, of runs and of videos.

Reads what `predict` wrote and labels; errors are in mm unless they say otherwise.
What trains never imports this folder.
"""
