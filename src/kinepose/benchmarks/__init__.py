"""The data sets that scores are made on: one that everyone can make, and the licensed ones.

Each is read into our joints and units, and laid out as videos, labels and boxes.
What trains never imports this folder.
"""
