"""Measurements: scripts that run, print and write down what they measured."""
