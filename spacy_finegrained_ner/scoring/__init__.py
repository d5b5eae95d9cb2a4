"""Exact-span scores over fine types, coarse types and mentions, and their report."""
