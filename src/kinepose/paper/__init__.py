"""The paper's Tables 2 to 4 and its figures, made again.

`reproduce` trains and scores the rows; tables and figures are drawn from the files it left.
What trains never imports this folder.
"""
