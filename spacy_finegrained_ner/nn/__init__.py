"""PyTorch only: modules, losses, decoding. Speaks tensors; imports nothing of the package."""
