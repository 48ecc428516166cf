"""Geometry that any work on poses needs: the skeleton, rotations, Procrustes, crops, a pinhole.

Functions of tensors alone; frames of reference and units stand at each.
Nothing of the paper is here: its transforms T_fk, T_c and T_m are in `method`.
"""
