"""All drawing; numbers are never computed here."""
