"""What the method learns from: D_p and D_unp as clips on disk, and labelled renders.

`prepare` writes the clips; what training draws of them and of renders are batches of tensors.
Labels lie in files of their own, which only `labels` opens, for the supervised variants.
"""
