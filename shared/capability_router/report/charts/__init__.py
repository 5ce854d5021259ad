"""What is drawn on the report page: charts over time, cost and quality as a plane, and the colours of names."""
