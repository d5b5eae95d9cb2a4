"""The trainable pipeline component and its factory."""
