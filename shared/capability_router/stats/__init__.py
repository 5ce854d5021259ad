"""What measured values come to: percentiles, and means with the intervals that hold them."""
