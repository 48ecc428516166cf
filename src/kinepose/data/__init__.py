"""What the method eats: clips of people cut from films, pairs of their frames, and the prior."""
