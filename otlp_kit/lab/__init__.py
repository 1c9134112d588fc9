"""The Lab: exercises whose answers are checked by running them."""
