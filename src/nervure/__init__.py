"""Train neural networks that learn their own wiring."""
