"""Facts to Notion: fold a contact, say what its pages should show, and bring Notion into line."""
