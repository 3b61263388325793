"""What words say: a text as numbers, the linear heads that judge it, and the lists of words that carry feeling."""
