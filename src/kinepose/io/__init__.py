"""What comes in and goes out: settings, files, arrays and tensors, checked against schemas.

Files appear whole or not at all, nothing is unpickled, and the errors that say in one line what is
wrong with an input stand here. Nothing here knows of people or poses.
"""
