"""A small open language model that is fine-tuned on chats, by LoRA."""
