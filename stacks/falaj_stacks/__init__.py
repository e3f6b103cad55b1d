"""The region and tenant programs, their validated configuration, and what one hands to the other."""
