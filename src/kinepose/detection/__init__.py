"""The people of a picture: a detector learnt from renders alone, and what it is learnt from."""
