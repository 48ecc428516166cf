"""What one stage leaves on disk for the next: poses and labels, runs, models.

Each kind of file has its only writer and reader here.
"""
