"""The loop that alternates the losses, and a run's state in memory and on disk.

A step's numbers follow from (seed, step) alone: a run that was killed goes on to the same bits.
Nothing here sees a score.
"""
