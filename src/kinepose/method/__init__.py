"""Kundu et al. (AAAI 2020), Figure 1A as files: E_P, E_A, D_I, T_fk, T_c, T_m and the losses.

Nothing here knows a data set, and nothing but geometry stands below it.
Every equation of the paper and its place: docs/method.md.
"""
