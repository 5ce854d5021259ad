"""Other routers' configurations become a router.yaml, with what could not be carried over told line by line."""
