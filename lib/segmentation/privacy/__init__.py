"""Personal values: the key, the tokens that stand for them everywhere, and the vault that alone has them in clear."""
