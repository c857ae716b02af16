"""The paper's figures: what each one shows, and how it is computed. ``plot`` names them."""
