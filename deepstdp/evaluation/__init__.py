"""What features and assignments are worth. The only part of the package that sees labels."""
