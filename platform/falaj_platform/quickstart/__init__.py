"""`falaj quickstart`: a model's whole way on this machine, with every real part."""
