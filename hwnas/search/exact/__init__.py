"""Exact search: whole Pareto fronts, and the best network within several budgets, with proof."""
