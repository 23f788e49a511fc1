"""The vocabulary and wire format that functions and runner share."""
