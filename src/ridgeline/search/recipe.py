"""The recipe for tables: what chooses it, and how large the tables were that it was measured on."""

NAME = "table"
RECIPE = f"experiment={NAME}"
"""What a study of a table does where it is not told what to try; docs/tables.md has what each choice of it is worth."""
LEAST_ROWS = 500
"""It is for tables of as many rows: on smaller ones too few rows validate to choose among so much."""
