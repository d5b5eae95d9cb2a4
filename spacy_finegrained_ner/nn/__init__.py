"""PyTorch only: modules, losses, decoding. Speaks tensors; imports only the contracts."""
