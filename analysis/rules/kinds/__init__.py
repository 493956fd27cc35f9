"""The kinds of rules, one a file: `analysis/rules/kind.py` says what one is and finds them."""
