"""From a pipeline to anybody's texts: the Annotator, the forms it reads and writes, its engines."""
