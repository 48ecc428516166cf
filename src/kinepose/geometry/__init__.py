"""What is fixed: the skeleton and the paper's three differentiable transforms."""
