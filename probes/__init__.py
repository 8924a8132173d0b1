"""What can be measured, and the words that every other package shares."""
