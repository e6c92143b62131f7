"""What the lens and its movement do: drops, dirt, flare, blur, aberration."""
