"""The roles of a node: each brings its routes, loops and senders."""
