"""What an evaluation has measured, drawn: SVG and PNG files and one page that shows them all. Measures nothing."""

from host_training.figures.write import write_figures

__all__ = ["write_figures"]
