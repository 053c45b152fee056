"""`dripstream …`: run the services, try the product, look at it and put it right."""
