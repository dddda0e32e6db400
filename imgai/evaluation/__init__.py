"""How good models are on pictures whose answer is known: what is true, what a run says of it, and what is told."""
