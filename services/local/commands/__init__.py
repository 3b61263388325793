"""The commands of `webcare`: one file for each group of them."""
