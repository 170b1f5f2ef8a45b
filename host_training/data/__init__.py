"""From folders of radiographs to training pairs, after one protocol."""
