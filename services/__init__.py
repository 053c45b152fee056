"""The running parts. They share settings and logging (here) and never import each other."""
