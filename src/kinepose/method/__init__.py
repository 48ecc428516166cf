"""Kundu et al. (AAAI 2020), Figure 1A as files: E_P, E_A, D_I, T_fk, T_c, T_m and the losses.

Nothing here knows a data set or opens a file; below it are geometry, settings and errors alone.
Every equation of the paper and its place: docs/method.md.
"""
