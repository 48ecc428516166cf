"""The people of an image: a detector learnt from renders alone, and what it is learnt from."""
