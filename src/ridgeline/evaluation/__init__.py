"""What comes after a search: it reads studies as they are stored."""
