"""thinc wiring: architectures, and the one boundary between lists of arrays and tensors."""
