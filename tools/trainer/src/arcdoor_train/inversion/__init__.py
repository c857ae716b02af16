"""Pictures out of a network's weights and an embedding: what ``invert`` does. ``run`` draws them, ``figures`` says how
alike they are to whom the embedding is of."""
