"""What a gateway may ask, and how it is answered: the JSON that the HTTP client gets."""
