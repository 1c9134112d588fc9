"""How a pipeline lives and ends with its process."""
