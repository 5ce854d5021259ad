"""Do the tests bite? Each small change of the code must make one of them fail. See `__main__`."""
