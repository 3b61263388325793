"""Door 1: REST. One file for each noun, thin routes over the desk."""
