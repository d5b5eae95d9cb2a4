"""A web application around one pipeline: a page to type in, and the endpoint that it asks."""
