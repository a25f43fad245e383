"""Backbones, checkpoints, likelihood and what a user can get wrong about them."""
