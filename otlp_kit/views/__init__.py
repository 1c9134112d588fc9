"""What a person sees: figures drawn from records, as text, as SVG and as ES modules."""
