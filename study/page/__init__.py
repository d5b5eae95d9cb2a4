"""The page: tables, plots and a text around them."""
