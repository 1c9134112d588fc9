"""What a person sees: figures drawn from records, as text, as SVG and as ES modules."""

from pathlib import Path

JS_DIRECTORY = Path(__file__).with_name("js")
"""What a browser loads: one ES module per figure, and the page that puts them together."""
