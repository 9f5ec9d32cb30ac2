"""How sure one can be of a parameter set: each measure by its paper, and a verdict from all of them."""
