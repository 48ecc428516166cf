"""What is trained: the pose encoder E_P, the appearance encoder E_A and the decoder D_I."""
