"""What is measured: one file a method, the decoding engine, the backbones and the distillation recipes."""
