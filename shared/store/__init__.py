"""All SQL, one file for each noun."""
