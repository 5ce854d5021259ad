"""The command `catalog`: what is known of models, how it is shown, renewed and checked."""
