"""A second policy beside the router's own: a shadow that only decides, a canary that has a share."""
