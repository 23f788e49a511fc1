"""Evidence of each control: `measure` reads it on the guest itself, `in_force` decides which controls held."""
