"""From any folder of radiographs to a store of training pairs, split by patient."""
