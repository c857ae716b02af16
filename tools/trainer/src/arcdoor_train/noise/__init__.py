"""What planted label noise does to training, and what sub-centres find of it: see ``noise_study``."""
