"""What a trained pipeline finds on gold data, as one page: where it is right, where it errs, and
how far its confidence can be trusted."""
