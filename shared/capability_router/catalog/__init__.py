"""What each model can do, allows and costs."""
