"""What is measured: the catalog of methods, the decoding engine, backbones, and distillation with its recipes."""
