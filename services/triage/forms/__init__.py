"""What rules can read from the form of words: days, amounts, postcodes, telephone numbers, addresses, names."""
