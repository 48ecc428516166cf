"""The people of an image: a detector learnt from renders alone, and what it is learnt from.

`finding` says where people are; scenes, cutouts and targets are what `training` shows the network.
Nothing here knows of videos, of who is who, or of poses.
"""
