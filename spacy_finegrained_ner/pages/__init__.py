"""Pages of tables and plots, as Markdown and as HTML that needs nothing else."""
