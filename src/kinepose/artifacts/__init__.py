"""What commands leave on disk for one another: poses and labels, runs, models.

Each kind of file has its only writer and reader here, but for the labels of `synthesize`.
Backbones that others trained are read here as well.
"""
