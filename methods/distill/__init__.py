"""Trainers: pretraining of the mini models, teacher trajectories, and the distillation recipes.

What a trainer needs of a task (prompts, gold answers, a scorer) is handed in as data and functions.
"""
