"""What others would do, beside which ours is measured."""
