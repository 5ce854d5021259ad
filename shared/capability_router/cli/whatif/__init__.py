"""What `explain` and `replay` take and show: requests that are not sent."""
