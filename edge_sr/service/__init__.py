"""The folder service: every picture put into a folder comes out once, whole, with its papers."""
