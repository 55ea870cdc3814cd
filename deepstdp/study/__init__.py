"""Studies: variants of a recipe, tuned alike, on several subsets of classes, with one result."""
