"""What is run: techniques as factors, pipelines that are compared, and in which order."""
