"""A language model that tags by the taxonomy, behind any OpenAI-compatible chat endpoint."""
