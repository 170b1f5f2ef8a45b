"""What a build is for: the runtimes that compile graphs into engines, behind one protocol."""
