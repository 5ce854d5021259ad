"""What a router is assembled from: how its rooms are joined, its money, its machines, its second policies."""
