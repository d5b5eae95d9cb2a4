"""What is wrong with data and config, before hours of training."""
