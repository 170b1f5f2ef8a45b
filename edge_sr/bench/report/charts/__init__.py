"""The report's pictures: SVG elements for a page, drawn for the width of a telephone."""
