"""What has been recorded of requests and their scores, read from files into rows that the learned model studies."""
