"""Images for people: skeletons, charts, grids of images, the report and the viewer.

Everything is drawn from arrays and files; no model is loaded.
Pages hold all they need: nothing is fetched.
"""
